"""What the shipping screens show."""

import dataclasses
from collections import Counter

from django.db.models import Count, Q, Sum

from orders.models import ShortRecord
from packing.models import PackJob, PackLine

from .models import HandoverJob, HandoverLine, Paper, Parcel, Pickup, Shipment
from .models.papers import Kind


def shipments_at(facility, *, status="", text=""):
    """Shipments of a facility for the list: those that still have work unless a status is asked for.

    ``text`` finds short id, order number, recipient, tracking number and parcel code. ``problems`` counts the parcels
    that need a person; those shipments come first.
    """
    shipments = Shipment.objects.at(facility)
    if status:
        shipments = shipments.filter(status=status)
    else:
        shipments = shipments.filter(status__in=Shipment.UNFINISHED, pick_job__pack_job__status="CLOSED")
    text = text.strip()
    if text:
        parcels = Parcel.objects.filter(
            Q(code=text) | Q(package__code=text) | Q(tracking_number__iexact=text)
        )
        shipments = shipments.filter(
            Q(short_id__iexact=text)
            | Q(order__tenant_order_id__icontains=text)
            | Q(order__recipient_name__icontains=text)
            | Q(pk__in=parcels.values("shipment"))
        )
    needs_person = Q(parcels__status__in=Parcel.NEEDS_PERSON)
    return (
        shipments.for_list()
        .annotate(problems=Count("parcels", filter=needs_person))
        .order_by("-problems", "target_time", "pk")
    )


def problems_at(facility):
    """Parcels of a facility whose label needs a person, the longest waiting first."""
    return (
        Parcel.objects.at(facility)
        .needing_a_person()
        .select_related("shipment__order", "carrier", "package")
        .order_by("modified_at", "pk")
    )


@dataclasses.dataclass
class Handovers:
    """What is to be handed over: per carrier, and to customers."""

    by_carrier: list  # (carrier, [handover job])
    to_customers: list


def handovers_at(facility, text=""):
    """Open handovers of a facility; ``text`` finds short id, order number and recipient."""
    jobs = HandoverJob.objects.at(facility).open().for_list()
    text = text.strip()
    if text:
        jobs = jobs.filter(
            Q(short_id__iexact=text)
            | Q(order__tenant_order_id__icontains=text)
            | Q(recipient_name__icontains=text)
        )
    by_carrier, to_customers = {}, []
    for job in jobs:
        if job.channel == HandoverJob.Channel.COLLECT:
            to_customers.append(job)
        else:
            by_carrier.setdefault(job.parcel.carrier, []).append(job)
    return Handovers(sorted(by_carrier.items(), key=lambda item: item[0].name), to_customers)


def handovers_named(facility, text):
    """Up to two open handovers with this short id; without one, those of customers with this number or name."""
    jobs = HandoverJob.objects.at(facility).open()
    named = jobs.filter(short_id__iexact=text)[:2]
    if named or len(text) < 3:
        return list(named)
    customers = jobs.filter(channel=HandoverJob.Channel.COLLECT)
    return list(
        customers.filter(Q(order__tenant_order_id__iexact=text) | Q(recipient_name__icontains=text))[:2]
    )


def price_of_goods(handover):
    """(what the goods of a handover cost by the prices of its order, currency); None when one of them is not known."""
    total, currencies = 0, set()
    for line in handover.lines.select_related("order_line__order"):
        price, currency = line.order_line.price
        if price is None:
            return None
        total += price * line.there
        currencies.add(currency)
    return (total, currencies.pop()) if len(currencies) == 1 else None


def not_available(order):
    """``{order line: units}`` of an order that will not come because they were not there, in the order of its lines."""
    unwanted = [HandoverLine.NotGiven.REFUSED, *HandoverJob.CancelReason.values]
    records = ShortRecord.objects.filter(line__order=order).exclude(reason__in=unwanted)
    units: Counter = Counter()
    for record in records.select_related("line").order_by("line__position", "pk"):
        units[record.line] += record.quantity
    return units


def packed_elsewhere(shipment):
    """``{order line id: units}`` of the order of a shipment that are packed in other shipments of it."""
    others = Shipment.objects.filter(order=shipment.order_id).exclude(pk=shipment.pk)
    others = others.exclude(status__in=[Shipment.Status.CANCELED, Shipment.Status.OBSOLETE])
    lines = PackLine.objects.filter(job__pick_job__shipment__in=others, job__status=PackJob.Status.CLOSED)
    return dict(lines.order_by().values_list("order_line").annotate(units=Sum("quantity")))


def papers_of(holder):
    """The papers of a shipment or a pick-up with their documents, in the order they are printed."""
    if holder is None:
        return []
    papers = list(holder.papers.current().select_related("document", "parcel"))
    if not isinstance(holder, Shipment):
        return papers
    shipment, known = holder, {paper.document_id for paper in papers}
    note = shipment.delivery_note
    if note is not None and note.pk not in known:  # made before there were other papers
        papers.append(Paper(shipment=shipment, kind=Kind.DELIVERY_NOTE, document=note))
    return papers


def printable(holder, parcels):
    """The documents of a packed job in the order they are printed: what is stuck on, parcel by parcel, then what is put in."""
    labels = [
        label for parcel in parcels for label in (parcel.label, parcel.return_label) if label is not None
    ]
    return labels + [paper.document for paper in papers_of(holder)]


def are_papers_awaited(holder):
    """Whether what they are about is there, and the papers come in a moment."""
    if isinstance(holder, Pickup):
        return holder.job.status in HandoverJob.UNFINISHED and holder.papers_made_at is None
    shipment = holder
    return (
        shipment is not None
        and shipment.status == Shipment.Status.CONFIRMED
        and shipment.papers_made_at is None
        and shipment.delivery_note_id is None
    )
