"""What several stages say about an order, read together. The process is derived here and stored nowhere."""

import dataclasses
import datetime
import uuid

from django.db import models
from django.db.models import Case, Count, Exists, Max, OuterRef, Q, Sum, Value, When
from django.utils.translation import gettext_lazy as _

from fulfillment.core.models import OutboxEntry, StatusChange
from fulfillment.overview import reasons
from orders.models import Order, OrderLine, ParcelRecord, ShortRecord
from packing import next_work as to_pack
from packing.models import PackageItem, PackJob
from picking import next_work as to_pick
from picking.models import PickJob, PickLine, PickRun, RestowItem, ShortReason
from routing.models import RoutingPlan
from shipping.models import HandoverJob, HandoverLine, ItemReturn, Parcel, ReturnJob, Shipment

DEFAULT_BUFFER = 240  # minutes; the buffer of an order no facility has got yet


class ProcessStatus(models.TextChoices):
    CREATED = "CREATED", _("Created")
    IN_PROGRESS = "IN_PROGRESS", _("In progress")
    FINISHED = "FINISHED", _("Finished")
    CANCELED = "CANCELED", _("Cancelled")
    ERROR = "ERROR", _("Needs attention")


class Flag(models.TextChoices):
    MISMATCH = "MISMATCH", _("Less than ordered")
    DELAYED = "DELAYED", _("Late")
    AT_RISK = "AT_RISK", _("At risk")
    NOT_PLACED = "NOT_PLACED", _("Not placed")


@dataclasses.dataclass
class Process:
    """The overall progress of an order, in units."""

    status: str
    ordered: int = 0
    routed: int = 0
    picked: int = 0
    packed: int = 0
    handed_over: int = 0
    short: int = 0
    buffer: int = DEFAULT_BUFFER
    is_waiting: bool = False
    flags: list = dataclasses.field(default_factory=list)

    def get_status_display(self):
        return ProcessStatus(self.status).label

    @property
    def stages(self):
        """(name, units done) per stage, in the order of the work."""
        return [
            (_("Routed"), self.routed),
            (_("Picked"), self.picked),
            (_("Packed"), self.packed),
            (_("Handed over"), self.handed_over),
        ]

    @property
    def flag_labels(self):
        return [Flag(flag).label for flag in self.flags]


def _of_order(queryset):
    return Exists(queryset.filter(order=OuterRef("pk")))


def with_process_status(orders):
    """Annotate ``process_status``: one definition for the filter of the list and for what it shows.

    ERROR: a part cannot be placed, or a parcel needs a person. FINISHED: something was picked (or found
    missing) and no stage has open work. IN_PROGRESS: a part has its facility.
    """
    open_work = (
        _of_order(RoutingPlan.objects.filter(status__in=RoutingPlan.OPEN))
        | _of_order(PickJob.objects.open())
        | _of_order(PackJob.objects.open())
        | _of_order(
            Shipment.objects.filter(
                status__in=[
                    Shipment.Status.INITIAL,
                    Shipment.Status.REQUEST,
                    Shipment.Status.CONFIRMED,
                    Shipment.Status.RETRYABLE,
                ]
            )
        )
        | _of_order(HandoverJob.objects.open())
    )
    trouble = _of_order(RoutingPlan.objects.filter(status=RoutingPlan.Status.NOT_ROUTABLE)) | _of_order(
        Parcel.objects.filter(status__in=[Parcel.Status.FAILED, Parcel.Status.WAITING_FOR_INPUT])
    )
    picking_ended = _of_order(
        PickJob.objects.filter(status__in=[PickJob.Status.CLOSED, PickJob.Status.ABORTED])
    )
    return orders.annotate(
        process_status=Case(
            When(
                status__in=[Order.Status.CANCELLED, Order.Status.OBSOLETE],
                then=Value(ProcessStatus.CANCELED),
            ),
            When(trouble, then=Value(ProcessStatus.ERROR)),
            When(picking_ended & ~open_work, then=Value(ProcessStatus.FINISHED)),
            When(
                _of_order(RoutingPlan.objects.filter(status=RoutingPlan.Status.ROUTED)),
                then=Value(ProcessStatus.IN_PROGRESS),
            ),
            default=Value(ProcessStatus.CREATED),
            output_field=models.CharField(),
        )
    )


def _sums(rows, key, field):
    """Sum of ``field`` per order."""
    return dict(rows.order_by().values_list(key).annotate(units=Sum(field)))


def processes(orders, now):
    """``{order id: Process}`` for loaded orders that carry ``process_status``; the same few queries for any number."""
    ids = [order.pk for order in orders]
    routed = _sums(
        RoutingPlan.objects.filter(
            order__in=ids,
            status__in=[RoutingPlan.Status.ROUTED, RoutingPlan.Status.LOCKED, RoutingPlan.Status.PROMISED],
        ),
        "order",
        "lines__quantity",
    )
    jobs = PickLine.objects.filter(job__order__in=ids).exclude(
        job__status__in=[PickJob.Status.CANCELED, PickJob.Status.REROUTED, PickJob.Status.OBSOLETE]
    )
    ordered = _sums(OrderLine.objects.filter(order__in=ids), "order", "quantity")
    picked = _sums(jobs, "job__order", "picked")
    packed = _sums(
        PackageItem.objects.filter(line__job__order__in=ids).exclude(
            line__job__status__in=[PackJob.Status.CANCELED, PackJob.Status.OBSOLETE]
        ),
        "line__job__order",
        "quantity",
    )
    to_carrier = _sums(
        PackageItem.objects.filter(
            line__job__order__in=ids,
            package__parcels__handover_job__status=HandoverJob.Status.HANDED_OVER,
        ),
        "line__job__order",
        "quantity",
    )
    to_customer = _sums(
        HandoverLine.objects.filter(
            job__order__in=ids,
            job__channel=HandoverJob.Channel.COLLECT,
            job__status=HandoverJob.Status.HANDED_OVER,
        ),
        "job__order",
        "handed_over",
    )
    short = _sums(ShortRecord.objects.filter(line__order__in=ids), "line__order", "quantity")
    buffers = dict(
        PickJob.objects.filter(order__in=ids)
        .order_by()
        .values_list("order")
        .annotate(buffer=Max("facility__fulfillment_buffer"))
    )
    waiting = set(
        RoutingPlan.objects.filter(
            order__in=ids,
            status__in=[
                RoutingPlan.Status.RETRYABLE,
                RoutingPlan.Status.WAITING,
                RoutingPlan.Status.NOT_ROUTABLE,
            ],
        ).values_list("order", flat=True)
    )
    found = {}
    for order in orders:
        process = Process(
            status=order.process_status,
            ordered=ordered.get(order.pk) or 0,
            routed=routed.get(order.pk) or 0,
            picked=picked.get(order.pk) or 0,
            packed=packed.get(order.pk) or 0,
            handed_over=(to_carrier.get(order.pk) or 0) + (to_customer.get(order.pk) or 0),
            short=short.get(order.pk) or 0,
            buffer=buffers.get(order.pk) or DEFAULT_BUFFER,
            is_waiting=order.pk in waiting,
        )
        process.flags = _flags(order, process, now)
        found[order.pk] = process
    return found


def _flags(order, process, now):
    flags = []
    is_open = process.status not in {ProcessStatus.FINISHED, ProcessStatus.CANCELED}
    if process.short or (process.status == ProcessStatus.FINISHED and process.handed_over < process.ordered):
        flags.append(Flag.MISMATCH)
    if is_open and process.is_waiting:
        flags.append(Flag.NOT_PLACED)
    if is_open and order.target_time is not None:
        if order.target_time < now:
            flags.append(Flag.DELAYED)
        elif order.target_time < now + datetime.timedelta(minutes=process.buffer):
            flags.append(Flag.AT_RISK)
    return flags


REFERENCES = {
    "routingPlanRefs": RoutingPlan,
    "pickJobRefs": PickJob,
    "packJobRefs": PackJob,
    "shipmentRefs": Shipment,
    "handoverJobRefs": HandoverJob,
    "itemReturnJobsRef": ReturnJob,
}


def references(orders):
    """What the stages made of orders: ``{order id: {"pickJobRefs": [id], ..., "facilityRefs": [id]}}``, oldest first."""
    found = {order.pk: {name: [] for name in [*REFERENCES, "facilityRefs"]} for order in orders}
    for name, model in REFERENCES.items():
        rows = model.objects.filter(order__in=list(found)).order_by("pk")
        for order_id, pk, facility_id in rows.values_list("order_id", "pk", "facility_id"):
            refs = found[order_id]
            refs[name].append(pk)
            if facility_id is not None and facility_id not in refs["facilityRefs"]:
                refs["facilityRefs"].append(facility_id)
    return found


def search(orders, text):
    """Orders with this number, recipient, SKU, id, process id, short id or tracking number."""
    try:
        identity = uuid.UUID(text)
    except ValueError:
        identity = None
    if identity is not None:
        return orders.filter(Q(pk=identity) | Q(process_id=identity))
    return orders.filter(
        Q(tenant_order_id__icontains=text)
        | Q(recipient_name__icontains=text)
        | Q(pk__in=OrderLine.objects.filter(sku__iexact=text).values("order"))
        | Q(pk__in=PickJob.objects.filter(short_id__iexact=text).values("order"))
        | Q(pk__in=ParcelRecord.objects.filter(tracking_number__iexact=text).values("order"))
    )


@dataclasses.dataclass
class Part:
    """What one facility does for an order: a plan and what followed from it."""

    plan: RoutingPlan
    pick_job: PickJob | None = None
    units: int = 0
    units_picked: int = 0
    pack_job: PackJob | None = None
    parcels: list = dataclasses.field(default_factory=list)
    handovers: list = dataclasses.field(default_factory=list)


def parts(order):
    """The parts of an order, oldest plan first; the same queries for any number of facilities and parcels."""
    plans = (
        RoutingPlan.objects.filter(order=order)
        .select_related("facility")
        .prefetch_related("lines__order_line")
        .order_by("pk")
    )
    found = {plan.pk: Part(plan) for plan in plans}
    by_job: dict[uuid.UUID, Part] = {}
    for job in PickJob.objects.filter(order=order).select_related("editor").prefetch_related("lines"):
        part = by_job[job.pk] = found[job.plan_id]
        part.pick_job = job
        part.units = sum(line.quantity for line in job.lines.all())
        part.units_picked = sum(line.picked for line in job.lines.all())
    for pack_job in PackJob.objects.filter(order=order).prefetch_related("packages"):
        by_job[pack_job.pick_job_id].pack_job = pack_job
    parcels = Parcel.objects.filter(order=order).select_related("carrier", "shipment").order_by("pk")
    for parcel in parcels:
        by_job[parcel.shipment.pick_job_id].parcels.append(parcel)
    for handover in HandoverJob.objects.filter(order=order).order_by("pk"):
        by_job[handover.pick_job_id].handovers.append(handover)
    return list(found.values())


def returns_of(order):
    """The return job of an order from which something comes back, with its lines and returns; else None."""
    job = ReturnJob.objects.filter(order=order).prefetch_related("lines").first()
    if job is None:
        return None
    job.returns = list(job.item_returns.for_list().select_related("facility"))
    return job if job.returns else None


def name_reasons(shorts):
    """Give short records ``reason_label``, the words of their code; unknown codes stay as they are."""
    words = {
        **dict(RestowItem.Reason.choices),
        **dict(HandoverJob.CancelReason.choices),
        **dict(HandoverLine.NotGiven.choices),
        **dict(ShortReason.choices),
    }
    for short in shorts:
        short.reason_label = words.get(short.reason, short.reason)
    return shorts


def history(order):
    """Every status change of an order and of all that belongs to it, oldest first, reasons in words."""
    changes = list(StatusChange.objects.filter(order_id=order.pk).select_related("by").order_by("at", "pk"))
    unknown_skus = [line.sku for line in order.lines.all() if line.article_id is None]
    reasons.in_words(changes, unknown_skus)
    return changes


def folded(changes):
    """The same of several things in one minute, say of two parcels, as one entry with how often it happened."""
    found = []
    for change in changes:
        last = found[-1] if found else None
        if last is not None and _shown(last) == _shown(change):
            last.times += 1
        else:
            change.times = 1
            found.append(change)
    return found


def _shown(change):
    moment = change.at.replace(second=0, microsecond=0)
    step = change.action if change.before == change.after else change.after
    return change.entity, step, change.reason, change.by_id, change.actor, moment


@dataclasses.dataclass
class Work:
    """The work of a facility that waits now."""

    pick: int
    pick_mine: PickRun | PickJob | None
    pick_next: PickRun | PickJob | None
    pack: int
    pack_mine: PackJob | None
    pack_next: PackJob | None
    label_problems: int
    handover: int
    handover_due: int
    returns: int
    returns_here: int
    shorts: list

    @property
    def next_is_run(self):
        return isinstance(self.pick_next, PickRun)


def work_of(facility, user, now):
    """Counts and next jobs of a facility; ``now`` decides which day is today, in the facility's zone."""
    local = now.astimezone(facility.tz)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    picks = PickJob.objects.at(facility)
    handovers = HandoverJob.objects.at(facility).open()
    return Work(
        pick=picks.open().count(),
        pick_mine=to_pick.in_hand(facility, user),
        pick_next=to_pick.best(facility, user),
        pack=PackJob.objects.at(facility).open().count(),
        pack_mine=to_pack.in_hand(facility, user),
        pack_next=to_pack.waiting(facility, user).first(),
        label_problems=Parcel.objects.at(facility).needing_a_person().count(),
        **handovers.aggregate(handover=Count("pk"), handover_due=Count("pk", filter=Q(target_time__lt=now))),
        **ItemReturn.objects.at(facility)
        .unfinished()
        .aggregate(returns=Count("pk"), returns_here=Count("pk", filter=Q(status__in=ItemReturn.HERE))),
        shorts=name_reasons(
            list(
                ShortRecord.objects.filter(facility=facility, recorded_at__gte=midnight)
                .select_related("line__order")
                .order_by("-recorded_at")[:20]
            )
        ),
    )


def parked_work():
    """Outbox entries that were given up, newest first; a person may retry them."""
    return OutboxEntry.objects.filter(state=OutboxEntry.State.FAILED).order_by("-pk")


def waiting_work(now):
    """(lane, entries due, oldest due time) per lane, of what is late by more than a minute."""
    late = now - datetime.timedelta(minutes=1)
    return list(
        OutboxEntry.objects.filter(state=OutboxEntry.State.DUE, due_at__lt=late)
        .order_by("lane")
        .values("lane")
        .annotate(entries=Count("pk"), oldest=models.Min("due_at"))
    )
