"""What the shipping screens show."""

import dataclasses

from django.db.models import Count, Q

from fulfillment.core.models import Document

from .models import HandoverJob, Parcel, Shipment


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
    needs_person = Q(parcels__status__in=[Parcel.Status.FAILED, Parcel.Status.WAITING_FOR_INPUT])
    return (
        shipments.for_list()
        .annotate(problems=Count("parcels", filter=needs_person))
        .order_by("-problems", "target_time", "pk")
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


def printable(shipment, parcels):
    """The PDF documents of a packed job in the order they are printed: what is stuck on, parcel by parcel, then
    what is put in. ZPL goes to a label printer, not into a PDF.
    """
    papers = [paper for parcel in parcels for paper in (parcel.label, parcel.return_label)]
    papers.append(shipment and shipment.delivery_note)
    return [paper for paper in papers if paper is not None and paper.format == Document.Format.PDF]
