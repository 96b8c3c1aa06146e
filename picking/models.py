from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from fulfillment.core.ids import uuid7
from fulfillment.core.models import Article, Facility, Listing, Stock
from fulfillment.core.models.base import LockingQuerySet, Stateful
from orders.models import Order, OrderLine
from routing.models import RoutingPlan, RoutingPlanLine


class ShortReason(models.TextChoices):
    NOT_FOUND = "NOT_FOUND", _("Not found")
    DAMAGED = "DAMAGED", _("Damaged")
    EXPIRED = "EXPIRED", _("Expired")
    OTHER = "OTHER", _("Other reason")


class PickJobQuerySet(LockingQuerySet):
    def at(self, facility):
        return self.filter(facility=facility)

    def open(self):
        return self.filter(status__in=PickJob.UNFINISHED)

    def for_list(self):
        """Most urgent first; jobs without a target time on top."""
        return self.select_related("order", "editor").order_by(F("target_time").asc(nulls_first=True), "pk")

    def for_api(self):
        return self.select_related("order", "editor").prefetch_related("lines__order_line")


class PickJob(Stateful):
    """The part of an order that one facility picks."""

    class Status(models.TextChoices):
        OPEN = "OPEN", _("Open")
        IN_PROGRESS = "IN_PROGRESS", _("In progress")
        PAUSED = "PAUSED", _("Paused")
        PICKED = "PICKED", _("Picked")
        CLOSED = "CLOSED", _("Closed")
        ABORTED = "ABORTED", _("Aborted")
        REROUTED = "REROUTED", _("Re-routed")
        CANCELED = "CANCELED", _("Cancelled")
        OBSOLETE = "OBSOLETE", _("Obsolete")

    class SubStatus(models.TextChoices):
        NONE = "", "–"
        SHORT_PICKED = "SHORT_PICKED", _("Short")
        ZERO_PICKED = "ZERO_PICKED", _("Nothing picked")

    UNFINISHED = ["OPEN", "IN_PROGRESS", "PAUSED", "PICKED"]
    BEGUN = ["IN_PROGRESS", "PAUSED", "PICKED", "CLOSED"]

    status = FSMField(_("status"), choices=Status.choices, default=Status.OPEN, protected=True)
    sub_status = models.CharField(
        _("detail"), max_length=30, choices=SubStatus.choices, default="", blank=True
    )
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="pick_jobs")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="pick_jobs")
    plan = models.OneToOneField(RoutingPlan, on_delete=models.PROTECT, related_name="pick_job")
    kind = models.CharField(_("kind"), max_length=8, choices=Order.Kind.choices)
    short_id = models.CharField(_("short id"), max_length=10)
    order_date = models.DateTimeField(_("ordered at"))
    target_time = models.DateTimeField(_("target time"), null=True)
    editor = models.ForeignKey(
        "core.User",
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("picker"),
    )
    started_at = models.DateTimeField(_("started at"), null=True)
    picked_at = models.DateTimeField(_("picked at"), null=True)
    closed_at = models.DateTimeField(_("closed at"), null=True)

    objects = PickJobQuerySet.as_manager()

    class Meta(Stateful.Meta):
        verbose_name = _("pick job")
        verbose_name_plural = _("pick jobs")
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "OPEN",
                        "IN_PROGRESS",
                        "PAUSED",
                        "PICKED",
                        "CLOSED",
                        "ABORTED",
                        "REROUTED",
                        "CANCELED",
                        "OBSOLETE",
                    ]
                ),
                name="pick_job_status",
            ),
            models.CheckConstraint(
                condition=Q(sub_status__in=["", "SHORT_PICKED", "ZERO_PICKED"]),
                name="pick_job_sub",
            ),
            models.CheckConstraint(condition=Q(kind__in=["SHIPPING", "COLLECT"]), name="pick_job_kind"),
            models.CheckConstraint(
                condition=~Q(status="CLOSED") | Q(closed_at__isnull=False),
                name="pick_job_closed_at",
            ),
            models.CheckConstraint(
                condition=~Q(status="IN_PROGRESS") | Q(started_at__isnull=False),
                name="pick_job_started_at",
            ),
        ]
        indexes = [models.Index(fields=["facility", "status", "target_time"], name="pick_job_list")]

    def __str__(self):
        return self.short_id

    @transition(field=status, source=[Status.OPEN, Status.PAUSED], target=Status.IN_PROGRESS)
    def start(self, picker, now):
        self.editor = picker
        self.started_at = self.started_at or now

    @transition(field=status, source=Status.IN_PROGRESS, target=Status.PAUSED)
    def pause(self):
        """Put it aside; its lines stay as they are."""

    @transition(field=status, source=Status.IN_PROGRESS, target=Status.PICKED)
    def finish_picking(self, now):
        """No line is open any more."""
        self.picked_at = now

    @transition(field=status, source=[Status.PICKED, Status.CLOSED], target=Status.IN_PROGRESS)
    def restart(self, picker):
        """Picking goes on after it had ended."""
        self.editor = picker
        self.picked_at = self.closed_at = None
        self.sub_status = self.SubStatus.NONE

    @transition(
        field=status,
        source=[Status.IN_PROGRESS, Status.PAUSED, Status.PICKED, Status.CLOSED],
        target=Status.OPEN,
    )
    def reset(self):
        """Everything begins again."""
        self.editor = None
        self.started_at = self.picked_at = self.closed_at = None
        self.sub_status = self.SubStatus.NONE

    @transition(field=status, source=Status.PICKED, target=Status.CLOSED)
    def close(self, sub_status, now):
        self.sub_status = sub_status
        self.closed_at = now

    @transition(field=status, source=[Status.IN_PROGRESS, Status.PICKED], target=Status.ABORTED)
    def close_empty(self):
        """Picking ended with nothing."""
        self.sub_status = self.SubStatus.ZERO_PICKED

    @transition(field=status, source=[Status.OPEN, Status.IN_PROGRESS, Status.PAUSED], target=Status.ABORTED)
    def abort(self):
        """The facility gives up."""

    @transition(
        field=status,
        source=[Status.OPEN, Status.IN_PROGRESS, Status.PAUSED, Status.PICKED],
        target=Status.CANCELED,
    )
    def cancel(self):
        """The order or the plan is no longer wanted."""

    @transition(
        field=status,
        source=[Status.OPEN, Status.IN_PROGRESS, Status.PAUSED, Status.PICKED],
        target=Status.OBSOLETE,
    )
    def make_obsolete(self):
        """Something else takes its place."""

    @transition(field=status, source=Status.OPEN, target=Status.REROUTED)
    def reroute(self):
        """Its part of the order is placed anew."""


class PickLineQuerySet(models.QuerySet):
    def pending(self):
        """Lines neither fully picked nor reported short."""
        return self.exclude(status=PickLine.Status.CLOSED)


class PickLine(models.Model):
    class Status(models.TextChoices):
        OPEN = "OPEN", _("Open")
        IN_PROGRESS = "IN_PROGRESS", _("In progress")
        CLOSED = "CLOSED", _("Done")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(PickJob, on_delete=models.CASCADE, related_name="lines")
    plan_line = models.OneToOneField(RoutingPlanLine, on_delete=models.PROTECT, related_name="pick_line")
    order_line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="pick_lines")
    article = models.ForeignKey(Article, on_delete=models.PROTECT, related_name="+")
    listing = models.ForeignKey(Listing, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(_("title"), max_length=500)
    # Place in the walk: the running sequence of the first location it is taken from.
    sequence = models.PositiveIntegerField(default=0)
    quantity = models.PositiveIntegerField(_("ordered"))
    picked = models.PositiveIntegerField(_("picked"), default=0)
    short = models.PositiveIntegerField(_("missing"), default=0)
    # A line is a Stateful's detail, changed only under its job's lock; its state follows from picked and short.
    status = models.CharField(_("state"), max_length=11, choices=Status.choices, default=Status.OPEN)
    short_reason = models.CharField(_("reason"), max_length=20, choices=ShortReason.choices, blank=True)

    objects = PickLineQuerySet.as_manager()

    class Meta:
        ordering = ["sequence", "order_line__position"]
        verbose_name = _("pick line")
        verbose_name_plural = _("pick lines")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["OPEN", "IN_PROGRESS", "CLOSED"]),
                name="pick_line_status",
            ),
            models.CheckConstraint(
                condition=Q(short_reason__in=["", "NOT_FOUND", "DAMAGED", "EXPIRED", "OTHER"]),
                name="pick_line_reason",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=F("picked") + F("short")),
                name="pick_line_units",
            ),
            models.CheckConstraint(
                condition=~Q(status="CLOSED") | Q(quantity=F("picked") + F("short")),
                name="pick_line_closed",
            ),
        ]

    def __str__(self):
        return f"{self.picked}/{self.quantity} {self.title}"

    @property
    def open_units(self):
        return self.quantity - self.picked - self.short

    def count(self, picked, short, reason):
        """Set the figures; the state follows from them."""
        self.picked, self.short, self.short_reason = picked, short, reason if short else ""
        if not self.open_units:
            self.status = self.Status.CLOSED
        else:
            self.status = self.Status.IN_PROGRESS if picked or short else self.Status.OPEN


class Allocation(models.Model):
    """From which stock row a line is to be taken (and how much was), in the order of the walk."""

    line = models.ForeignKey(PickLine, on_delete=models.CASCADE, related_name="allocations")
    stock = models.ForeignKey(Stock, on_delete=models.PROTECT, related_name="allocations")
    quantity = models.PositiveIntegerField()

    class Meta:
        ordering = ["stock__location__running_sequence", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["line", "stock"], name="allocation_once"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="allocation_quantity"),
        ]

    def __str__(self):
        return f"{self.quantity} × {self.stock}"


class ShortIdCounter(models.Model):
    """The last number given per facility and initials; 1 to 99, then again from 1."""

    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="+")
    initials = models.CharField(max_length=2)
    number = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["facility", "initials"], name="short_id_counter_once")]

    def __str__(self):
        return f"{self.initials}{self.number}"


class ScanEvent(models.Model):
    """One action of a scan screen with its stored answer: the client's id makes it happen exactly once."""

    class Kind(models.TextChoices):
        SCAN = "scan", _("Scan")
        QUANTITY = "quantity", _("Quantity")
        SHORT = "short", _("Short pick")
        UNDO = "undo", _("Undo")
        PAUSE = "pause", _("Pause")
        CLOSE = "close", _("Close")

    id = models.UUIDField(primary_key=True)
    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey("core.User", on_delete=models.PROTECT, related_name="+")
    job = models.ForeignKey(PickJob, on_delete=models.CASCADE, null=True, related_name="scans")
    line = models.ForeignKey(PickLine, on_delete=models.CASCADE, null=True, related_name="scans")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    digest = models.CharField(max_length=64)
    code = models.CharField(max_length=200, blank=True)
    # What this action changed on its line, so that undo can write the counter-event.
    picked_delta = models.IntegerField(default=0)
    short_delta = models.IntegerField(default=0)
    undoes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="undone_by")
    status_code = models.PositiveSmallIntegerField(default=200)
    answer = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    scanned_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["received_at", "pk"]
        indexes = [models.Index(fields=["job", "received_at"], name="scan_event_job")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["scan", "quantity", "short", "undo", "pause", "close"]),
                name="scan_event_kind",
            )
        ]

    def __str__(self):
        return f"{self.kind} {self.code}"
