"""What customers are told by e-mail: ready for pick-up, with PIN and QR code; shipped, with the number of the parcel.

Deliveries of the outbox: a mail server that is down delays a message, and nobody gets one twice unless the server
took it and the worker ended in that moment.
"""

import smtplib
import string

from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext

from fulfillment.core.barcodes import qr_png
from fulfillment.core.outbox import RetryLater

from . import pickup
from .models import HandoverJob, MessageText, SentMessage
from .models.messages import MessageKind
from .parcel_data import language_at, language_of
from .queries import not_available


def announce_pickup(event):
    """Tell a customer that the goods are ready. Called again, or when they are gone already, it does nothing."""
    job = _job(event, HandoverJob.Channel.COLLECT, HandoverJob.UNFINISHED)
    if job is None or not hasattr(job, "pickup"):
        return
    made, language = job.pickup, language_at(job.facility)
    with translation.override(language):
        until = made.collect_until and date_format(
            timezone.localtime(made.collect_until, job.facility.tz), "SHORT_DATE_FORMAT"
        )
    values = {"pin": pickup.pin_of(made), "until": until or "–"}
    _send(job, MessageKind.READY, language, values, picture=qr_png(pickup.qr_text(made)))


def announce_shipped(event):
    """Tell a customer that a parcel left. Called again, or when it was taken back, it does nothing."""
    job = _job(event, HandoverJob.Channel.DELIVERY, [HandoverJob.Status.HANDED_OVER])
    if job is None:
        return
    parcel = job.parcel
    values = {
        "carrier": parcel.carrier.name,
        "number": parcel.tracking_number,
        "link": parcel.tracking_url,
    }
    _send(job, MessageKind.SHIPPED, language_of(parcel.shipment), values)


def _job(event, channel, statuses):
    return (
        HandoverJob.objects.select_related(
            "order__channel", "facility", "parcel__shipment", "parcel__carrier"
        )
        .filter(pk=event.handover_job_id, channel=channel, status__in=statuses)
        .first()
    )


def words_of(channel_id, kind, language):
    """(subject, text) of a message: those of the channel, else those for all, else the usual ones."""
    texts = MessageText.objects.filter(kind=kind, language=language)
    found = {text.channel_id: text for text in texts.filter(channel=channel_id)}
    found |= {text.channel_id: text for text in texts.filter(channel=None)}
    text = found.get(channel_id) or found.get(None)
    if text is not None:
        return text.subject, text.body
    with translation.override(language):
        if kind == MessageKind.READY:
            return gettext("Order $order is ready for pick-up"), gettext(
                "Hello $name,\n\nyour order $order is ready at $facility, $address.\n\n"
                "Your PIN: $pin\nOr show the attached QR code.\n\nPlease collect it until: $until\n$missing"
            )
        return gettext("Order $order is on its way"), gettext(
            "Hello $name,\n\na parcel of your order $order is on its way with $carrier.\n\n"
            "Number: $number\n$link\n$missing"
        )


def _send(job, kind, language, values, picture=None):
    order, facility = job.order, job.facility
    if SentMessage.objects.filter(job=job, kind=kind).exists() or not _is_address(order.email):
        return
    subject, body = words_of(order.channel_id, kind, language)
    values |= {
        "name": job.recipient_name,
        "missing": _missing(order, language),
        "order": str(order),
        "facility": facility.name,
        "address": f"{facility.street} {facility.house_number}, {facility.postal_code} {facility.city}",
    }
    mail = EmailMessage(
        # A line break in a name would begin another header.
        subject=" ".join(string.Template(subject).safe_substitute(values).split()),
        body=string.Template(body).safe_substitute(values),
        to=[order.email],
    )
    if picture:
        mail.attach("pickup.png", picture, "image/png")
    try:
        mail.send()
    except (smtplib.SMTPException, OSError) as error:
        raise RetryLater(f"The mail server did not take it: {error}") from error
    SentMessage.objects.get_or_create(job=job, kind=kind, defaults={"sent_at": timezone.now()})


def _missing(order, language):
    """A paragraph about what will not come because it was not there; empty when nothing is missing."""
    missing = not_available(order)
    if not missing:
        return ""
    with translation.override(language):
        heading = gettext("Not available, and not sent later:")
    return "\n".join(["", heading, *(f"{units} × {line.title}" for line, units in missing.items()), ""])


def _is_address(text):
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True
