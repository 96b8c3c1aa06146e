import io

import pytest
import zxingcpp
from django.core import mail
from django.db import transaction
from django.utils import timezone
from PIL import Image

from fulfillment.core.outbox import RetryLater
from orders.services import records
from shipping import messages, pickup, services
from shipping.events import HandedOver, HandoverCreated
from shipping.models import HandoverJob, MessageText, PickupSettings, SentMessage
from tests.factories.core import FacilityFactory
from tests.factories.shipping import collected, labelled

pytestmark = pytest.mark.django_db


def with_email(job, email="anna@example.com"):
    job.order.consumer["email"] = email
    job.order.save(update_fields=["consumer"])
    return job


def announce_pickup(job):
    messages.announce_pickup(HandoverCreated(job.pk))


def test_customer_is_told_once_with_pin_and_qr_code(facility):
    PickupSettings.objects.create()
    job = with_email(collected(facility=facility))

    announce_pickup(job)
    announce_pickup(job)

    [sent] = mail.outbox
    assert sent.to == ["anna@example.com"]
    assert sent.subject == f"Order {job.order} is ready for pick-up"
    assert pickup.pin_of(job.pickup) in sent.body
    [(_name, picture, _type)] = sent.attachments
    [code] = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))
    assert code.text == pickup.qr_text(job.pickup)


def test_message_speaks_the_language_of_the_house():
    job = with_email(collected(facility=FacilityFactory(slug="berlin", country="DE")))

    announce_pickup(job)

    assert mail.outbox[0].subject == f"Bestellung {job.order} liegt zur Abholung bereit"


def test_own_words_of_a_channel_go_before_those_for_all(facility):
    job = with_email(collected(facility=facility))
    texts = {None: "All: $order", job.order.channel: "Own: $order $unknown"}
    for channel, subject in texts.items():
        MessageText.objects.create(channel=channel, kind="READY", language="en", subject=subject, body="$pin")

    announce_pickup(job)

    assert mail.outbox[0].subject == f"Own: {job.order} $unknown"
    assert mail.outbox[0].body == pickup.pin_of(job.pickup)


def test_shipped_parcel_is_told_with_its_number(facility):
    done = labelled(facility=facility)
    job = with_email(HandoverJob.objects.get())
    messages.announce_shipped(HandedOver(job.pk))
    assert mail.outbox == []  # it has not left yet

    services.hand_over(job.pk, by=None, now=timezone.now())
    messages.announce_shipped(HandedOver(job.pk))

    assert done.tracking_number in mail.outbox[0].body
    assert "Not available" not in mail.outbox[0].body


def test_shipped_parcel_is_told_with_what_is_not_available(facility):
    labelled(facility=facility)
    job = with_email(HandoverJob.objects.get())
    first, second = job.order.lines.all()
    with transaction.atomic():
        records.record_short(first.pk, facility.pk, 2, "NOT_FOUND", now=timezone.now())
        records.record_short(second.pk, facility.pk, 1, "REFUSED", now=timezone.now())
    services.hand_over(job.pk, by=None, now=timezone.now())

    messages.announce_shipped(HandedOver(job.pk))

    assert mail.outbox[0].body.endswith(f"\nNot available, and not sent later:\n2 × {first.title}\n")


@pytest.mark.parametrize("email", ["", "nobody", "a@example.com\nBcc: b@example.com"])
def test_nobody_is_written_to_without_a_usable_address(facility, email):
    announce_pickup(with_email(collected(facility=facility), email))

    assert mail.outbox == []
    assert not SentMessage.objects.exists()


def test_line_break_in_a_name_makes_no_header(facility):
    job = with_email(collected(facility=facility))
    MessageText.objects.create(kind="READY", language="en", subject="For $name", body="Hello")
    HandoverJob.objects.update(recipient_name="Anna\r\nBcc: b@example.com")

    announce_pickup(job)

    assert mail.outbox[0].subject == "For Anna Bcc: b@example.com"
    assert mail.outbox[0].recipients() == ["anna@example.com"]


def test_mail_server_that_is_down_is_asked_later(facility, monkeypatch):
    job = with_email(collected(facility=facility))

    def refuse(self, *args, **kwargs):
        raise ConnectionRefusedError("down")

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    with pytest.raises(RetryLater):
        announce_pickup(job)

    assert not SentMessage.objects.exists()


def test_goods_that_are_gone_are_not_announced(facility):
    job = with_email(collected(facility=facility))
    services.hand_over(job.pk, by=None, now=timezone.now())

    announce_pickup(job)

    assert mail.outbox == []
