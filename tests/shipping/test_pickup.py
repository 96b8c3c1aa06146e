import datetime

import pytest
from django.db import transaction
from django.utils import timezone

from fulfillment.core.errors import Refused
from fulfillment.core.models import Document, StatusChange
from fulfillment.core.services import documents
from orders.events import OrderCancelled
from orders.models import ShortRecord
from packing import services as packing
from picking.models import RestowItem
from shipping import pickup, pickup_packages, services
from shipping.models import HandoverJob, Load, Pickup, PickupSettings
from tests.factories.core import FacilityFactory, StorageLocationFactory, staff
from tests.factories.shipping import collected, labelled, work
from tests.shipping.test_loads import signature

pytestmark = pytest.mark.django_db
WRONG = "not-six-digits"


@pytest.fixture
def asked(db):
    return PickupSettings.objects.create()


def show_pin(job, pin, by=None, now=None):
    pickup.show_pin(job.pk, pin, by=by, now=now or timezone.now())


def hand_over(job, **options):
    return pickup.hand_over(job.pk, **options, by=None, now=timezone.now())


def wrong_pin(job):
    return f"{(int(pickup.pin_of(job.pickup)) + 1) % 10**6:06d}"


# PIN and code


def test_goods_to_collect_get_a_pin_of_six_digits_that_is_not_stored(facility, asked):
    made = collected(facility=facility).pickup

    pin = pickup.pin_of(made)
    assert (len(pin), pin.isdigit()) == (6, True)
    assert pin not in str(Pickup.objects.values().get())
    assert pickup.is_pin_of(made, pin)
    assert abs(made.collect_until - timezone.now() - datetime.timedelta(days=7)) < datetime.timedelta(
        minutes=5
    )


def test_pin_and_code_outlive_a_change_of_the_secret_key(facility, asked, settings):
    made = collected(facility=facility).pickup
    pin, text = pickup.pin_of(made), pickup.qr_text(made)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "new-" * 20

    assert pickup.is_pin_of(made, pin)
    assert pickup.read_qr(text) == made.code


def test_right_pin_opens_the_handover(facility, asked, packer):
    job = collected(facility=facility)
    with pytest.raises(pickup.ProofMissing, match="check the PIN or QR code"):
        hand_over(job)

    show_pin(job, pickup.pin_of(job.pickup), packer)
    hand_over(job)

    job.refresh_from_db()
    assert (job.status, job.pickup.shown) == ("HANDED_OVER", "PIN")
    assert StatusChange.objects.filter(action="identify").count() == 1


def test_wrong_pin_six_times_is_locked_until_a_supervisor_vouches(facility, asked, packer):
    job = collected(facility=facility)

    for left in (4, 3, 2, 1):
        with pytest.raises(pickup.WrongPin, match=f"Tries left: {left}"):
            show_pin(job, wrong_pin(job), packer)
    for _fifth_and_sixth in range(2):
        with pytest.raises(pickup.PinLocked):
            show_pin(job, wrong_pin(job), packer)
    with pytest.raises(pickup.PinLocked):
        show_pin(job, pickup.pin_of(job.pickup), packer)
    assert Pickup.objects.get().wrong_tries == 5
    assert StatusChange.objects.filter(action="wrong_pin").count() == 5
    with pytest.raises(pickup.ProofMissing):
        hand_over(job)

    with pytest.raises(services.ReasonMissing):
        pickup.vouch(job.pk, reason=" ", by=packer, now=timezone.now())
    pickup.vouch(job.pk, reason="Knows the order and its articles", by=packer, now=timezone.now())

    hand_over(job)
    assert Pickup.objects.get().shown == "SUPERVISOR"


def test_expired_pin_is_refused(facility, asked):
    job = collected(facility=facility)

    with pytest.raises(pickup.PinExpired):
        show_pin(job, pickup.pin_of(job.pickup), now=timezone.now() + datetime.timedelta(days=8))


def test_qr_code_of_another_order_or_forged_is_refused(facility, asked):
    job, other = collected(facility=facility), collected(facility=facility, number="1002")
    text = pickup.qr_text(job.pickup)
    forged = text[:-1] + ("A" if text[-1] != "A" else "B")

    for shown in (forged, pickup.qr_text(other.pickup), WRONG):
        with pytest.raises(pickup.WrongCode):
            pickup.show_qr(job.pk, shown, by=None, now=timezone.now())
    pickup.show_qr(job.pk, text.lower(), by=None, now=timezone.now())

    assert Pickup.objects.get(job=job).shown == "QR"


def test_parcels_are_not_given_to_customers(facility):
    labelled(facility=facility)

    with pytest.raises(pickup.NotToCollect):
        hand_over(HandoverJob.objects.get())


def test_goods_that_are_not_paid_are_given_when_the_payment_is_confirmed(facility, packer):
    job = collected(facility=facility)
    HandoverJob.objects.update(is_paid=False)

    with pytest.raises(pickup.PaymentMissing):
        hand_over(job)
    assert not StatusChange.objects.filter(action="take_payment").exists()
    pickup.hand_over(job.pk, is_payment_taken=True, by=packer, now=timezone.now())

    taken = StatusChange.objects.get(action="take_payment")
    assert (taken.order_id, taken.by) == (job.order_id, packer)
    job.refresh_from_db()
    assert job.status == "HANDED_OVER"


def test_paid_goods_note_no_payment(facility):
    hand_over(collected(facility=facility), is_payment_taken=True)

    assert not StatusChange.objects.filter(action="take_payment").exists()


# Search


def test_goods_are_found_by_qr_code_and_pin(facility, packer):
    job = collected(facility=facility)
    collected(facility=facility, number="1002")

    assert pickup.find(facility, pickup.qr_text(job.pickup), by=packer) == [job]
    assert job in pickup.find(facility, pickup.pin_of(job.pickup), by=packer)
    assert pickup.find(FacilityFactory(slug="there"), pickup.qr_text(job.pickup), by=packer) == []


def test_pins_are_not_found_by_trying(facility, packer):
    for _search in range(pickup.SEARCHES_PER_MINUTE):
        pickup.find(facility, "000000", by=packer)

    with pytest.raises(pickup.TooManySearches):
        pickup.find(facility, "000000", by=packer)


# What is seen


@pytest.mark.parametrize(
    ("asked_for", "shown"),
    [
        ("asks_for_id", {"is_id_seen": True}),
        ("asks_for_age", {"is_age_checked": True}),
        ("asks_for_signature", {"is_signed_on_paper": True}),
        ("asks_for_signature", {"signature": signature()}),
    ],
)
def test_what_the_facility_asks_for_must_be_seen(facility, asked_for, shown):
    PickupSettings.objects.create(facility=facility, asks_for_code=False, **{asked_for: True})
    job = collected(facility=facility)

    with pytest.raises(pickup.ProofMissing):
        hand_over(job)
    hand_over(job, **shown)

    assert HandoverJob.objects.get().status == "HANDED_OVER"


def test_facility_without_settings_asks_for_nothing(facility):
    hand_over(collected(facility=facility))

    assert HandoverJob.objects.get().status == "HANDED_OVER"


def test_refused_units_are_kept_with_reason_and_comment_and_go_back(facility):
    job = collected(2, facility=facility)
    line = job.lines.get()

    hand_over(job, refused={line.pk: (1, "Damaged", "Handle is broken")})

    line.refresh_from_db()
    assert line.refused == [{"quantity": 1, "reason": "Damaged", "comment": "Handle is broken"}]
    assert RestowItem.objects.get().quantity == 1


def test_taken_back_handover_asks_for_everything_again(facility, asked):
    job = collected(facility=facility)
    show_pin(job, pickup.pin_of(job.pickup))
    hand_over(job)
    work()

    services.revert(job.pk, reason="Wrong bag", by=None, now=timezone.now())

    again = Pickup.objects.get()
    assert (again.shown, again.receipt) == ("", None)
    with pytest.raises(pickup.ProofMissing):
        hand_over(job)


# Nobody came


def test_goods_that_nobody_collects_in_time_go_back(facility, asked):
    job, fresh = collected(2, facility=facility), collected(facility=facility, number="1002")
    Pickup.objects.filter(job=job).update(collect_until=timezone.now())

    assert pickup.expire(now=timezone.now() + datetime.timedelta(minutes=1)) == 1

    job.refresh_from_db()
    fresh.refresh_from_db()
    assert (job.status, job.cancel_reason, fresh.status) == ("CANCELED", "CONSUMER_NO_SHOW", "OPEN")
    assert (RestowItem.objects.get().reason, RestowItem.objects.get().quantity) == ("NOT_COLLECTED", 2)
    assert pickup.expire(now=timezone.now() + datetime.timedelta(minutes=1)) == 0


def test_goods_wait_for_ever_where_no_time_is_set(facility):
    PickupSettings.objects.create(days_to_collect=0)

    assert collected(facility=facility).pickup.collect_until is None


@pytest.mark.drawn
def test_cancelled_order_cannot_be_collected(facility, asked):
    job = collected(facility=facility)
    with transaction.atomic():
        services.on_order_cancelled(OrderCancelled(job.order_id), by=None, now=timezone.now())
    show_pin(job, pickup.pin_of(job.pickup))

    with pytest.raises(Refused):
        hand_over(job)


# Receipt


@pytest.mark.drawn
def test_receipt_says_what_was_taken_and_how_it_was_proved(facility, read_pdf):
    PickupSettings.objects.create(asks_for_id=True, asks_for_signature=True)
    job = collected(2, facility=facility)
    show_pin(job, pickup.pin_of(job.pickup))
    hand_over(job, is_id_seen=True, signature=signature())

    work()
    work()

    made = Pickup.objects.get()
    printed = read_pdf(documents.read(made.receipt))
    for words in ("Receipt", str(job.order), "PIN", "The identity card was seen."):
        assert words in printed.text
    assert Document.objects.filter(name__startswith="receipt").count() == 1
    snapshot = made.receipt.snapshot
    assert pickup.render_receipt(snapshot, documents.kept(snapshot["signature"])) == documents.read(
        made.receipt
    )


# The page


@pytest.fixture
def clerk(client, packer):
    client.force_login(packer)
    return client


def address(name, *args):
    from django.urls import reverse

    return reverse(f"shipping:{name}", args=["here", *args])


def test_clerk_checks_the_pin_before_the_goods_can_be_given(clerk, facility, asked):
    job = collected(facility=facility)
    HandoverJob.objects.update(is_paid=False)
    page = address("handover-detail", job.pk)
    before = clerk.get(page).content.decode()

    wrong = clerk.post(
        address("handover-show", job.pk), {"pin": wrong_pin(job)}, follow=True
    ).content.decode()
    pin = pickup.pin_of(job.pickup)
    right = clerk.post(address("handover-show", job.pk), {"pin": f"{pin[:3]} {pin[3:]}"}, follow=True)
    clerk.post(address("handover-confirm", job.pk), {"is_payment_taken": "on"})

    assert "Check who collects first." in before
    assert "I have taken the payment" not in before
    assert "Hand over to the customer" not in before
    assert "Tries left: 4" in wrong
    assert "I have taken the payment" in right.content.decode()
    assert "Hand over to the customer" in right.content.decode()
    job.refresh_from_db()
    assert job.status == "HANDED_OVER"


@pytest.mark.parametrize("what", ["qr", "pin"])
def test_what_the_customer_shows_at_the_door_finds_and_proves(clerk, facility, asked, what):
    job = collected(facility=facility)
    shown = pickup.qr_text(job.pickup) if what == "qr" else pickup.pin_of(job.pickup)

    answer = clerk.post(address("handover-scan"), {"code": shown})

    assert answer.url == address("handover-detail", job.pk)
    assert Pickup.objects.get().shown == what.upper()


def test_customer_is_found_by_name(clerk, facility):
    job = collected(facility=facility)

    answer = clerk.post(address("handover-scan"), {"code": job.recipient_name[:5].lower()})

    assert answer.url == address("handover-detail", job.pk)


def test_place_of_the_goods_is_noted_and_shown(clerk, facility):
    job = collected(facility=facility)

    page = clerk.post(address("handover-put", job.pk), {"place": "Shelf C 4"}, follow=True)

    assert "Shelf C 4" in page.content.decode()
    package = job.pick_job.pack_job.packages.get()
    assert package.code in page.content.decode()


@pytest.fixture
def scanned(db):
    return PickupSettings.objects.create(asks_for_code=False, asks_for_packages=True)


def codes(job):
    return list(job.pick_job.pack_job.packages.order_by("number").values_list("code", flat=True))


def test_goods_are_not_given_before_every_package_is_scanned(clerk, facility, scanned):
    job = collected(2, facility=facility, packages=2)
    first, second = codes(job)

    page = clerk.post(address("handover-fetch", job.pk), {"code": first}, follow=True)
    assert "Package 1 is right." in page.content.decode()
    assert "Scan every package first." in page.content.decode()
    with pytest.raises(pickup.ProofMissing, match="scan package 2"):
        hand_over(job)
    clerk.post(address("handover-fetch", job.pk), {"code": second.lower()})
    hand_over(job)

    assert HandoverJob.objects.get().status == "HANDED_OVER"
    fetched = job.pickup.packages.all()
    assert [one.fetched_at is not None for one in fetched] == [True, True]


def test_package_that_does_not_belong_here_is_told(facility, scanned, packer):
    job, other = collected(facility=facility, number="1"), collected(facility=facility, number="2")
    sent = labelled(facility=facility, number="3")
    now = timezone.now()

    with pytest.raises(pickup_packages.PackageOfSomeoneElse, match=f"Package 1 of {other} is not for {job}"):
        pickup_packages.fetch(job.pk, codes(other)[0], by=packer, now=now)
    with pytest.raises(pickup_packages.PackageOfSomeoneElse):
        pickup_packages.fetch(job.pk, sent.code, by=packer, now=now)
    with pytest.raises(pickup_packages.UnknownPackage):
        pickup_packages.fetch(job.pk, "P123", by=packer, now=now)
    pickup_packages.fetch(job.pk, codes(job)[0], by=packer, now=now)
    with pytest.raises(pickup_packages.AlreadyFetched):
        pickup_packages.fetch(job.pk, codes(job)[0], by=packer, now=now)
    hand_over(job)
    with pytest.raises(pickup_packages.PickupEnded):
        pickup_packages.fetch(job.pk, codes(job)[0], by=packer, now=now)


def test_packages_of_a_handover_that_is_taken_back_are_scanned_again(facility, scanned):
    job = collected(facility=facility)
    now = timezone.now()
    pickup_packages.fetch(job.pk, codes(job)[0], by=None, now=now)
    hand_over(job)

    services.revert(job.pk, reason="Wrong person", by=None, now=now)

    with pytest.raises(pickup.ProofMissing, match="scan package 1"):
        hand_over(job)


def test_package_opens_its_handover(clerk, facility):
    job = collected(facility=facility)

    answer = clerk.post(address("handover-scan"), {"code": codes(job)[0]})

    assert answer.url == address("handover-detail", job.pk)
    assert not Load.objects.exists()


def test_place_that_packing_noted_is_shown_at_the_counter(clerk, facility):
    job = collected(1, facility=facility)
    package = job.pick_job.pack_job.packages.get()
    location = StorageLocationFactory(facility=facility, name="K-07")
    packing.put_at(package.job_id, package.pk, location, by=None, now=timezone.now())

    page = clerk.get(address("handover-detail", job.pk))

    assert "K-07" in page.content.decode()


def test_units_that_are_not_there_go_nowhere_and_the_shop_hears_of_them(clerk, facility, packer):
    PickupSettings.objects.create(asks_for_code=False)
    job = collected(3, facility=facility)
    line = job.lines.get()
    fields = {f"units-{line.pk}": 1, f"reason-{line.pk}": "torn"}

    much = clerk.post(address("handover-confirm", job.pk), {**fields, f"missing-{line.pk}": 3})
    clerk.post(address("handover-confirm", job.pk), {**fields, f"missing-{line.pk}": 1})

    assert (much.status_code, "There are 3 in all." in much.content.decode()) == (422, True)
    line.refresh_from_db()
    assert (line.handed_over, line.refused_units, line.missing) == (1, 1, 1)
    assert sorted(ShortRecord.objects.values_list("reason", "quantity")) == [("MISSING", 1), ("REFUSED", 1)]
    assert [item.quantity for item in RestowItem.objects.all()] == [1]
    work()
    receipt = Document.objects.get(template=pickup.VERSION)
    assert receipt.snapshot["lines"] == [{"title": line.title, "taken": 1, "refused": 1, "missing": 1}]
    services.revert(job.pk, reason="Mistake", by=packer, now=timezone.now())
    line.refresh_from_db()
    assert (line.missing, ShortRecord.objects.count()) == (0, 0)


def test_nobody_puts_back_what_is_not_there(facility, packer):
    job = collected(3, facility=facility)
    services.move_missing(job.pk, [(job.lines.get().pk, 2)], by=packer, now=timezone.now())

    services.cancel_handover(job.pk, "CONSUMER_NO_SHOW", by=packer, now=timezone.now())

    assert [item.quantity for item in RestowItem.objects.all()] == [1]
    shorts = ShortRecord.objects.values_list("reason", "quantity")
    assert sorted(shorts) == [("CONSUMER_NO_SHOW", 1), ("MISSING", 2)]


def test_goods_of_which_nothing_is_there_are_cancelled_on_the_page(clerk, facility):
    PickupSettings.objects.create(asks_for_code=False)
    job = collected(3, facility=facility)
    missing = {f"missing-{job.lines.get().pk}": 3}

    refused = clerk.post(address("handover-confirm", job.pk), missing, follow=True)
    faulty = clerk.post(
        address("handover-cancel", job.pk), {"reason": "CONSUMER_REJECTS", f"missing-{job.lines.get().pk}": 4}
    )
    data = {"reason": "CONSUMER_REJECTS", **missing}
    cancelled = clerk.post(address("handover-cancel", job.pk), data, follow=True)

    assert "Put the goods back" not in cancelled.content.decode()
    assert "Nothing is left to hand over" in refused.content.decode()
    assert faulty.status_code == 422
    job.refresh_from_db()
    assert (job.status, job.lines.get().missing) == ("CANCELED", 3)
    assert list(ShortRecord.objects.values_list("reason", "quantity")) == [("MISSING", 3)]
    assert not RestowItem.objects.exists()


def test_one_package_stands_elsewhere(clerk, facility):
    job = collected(2, facility=facility, packages=2)
    second = job.pick_job.pack_job.packages.get(number=2)

    clerk.post(address("handover-put", job.pk), {"place": "Shelf C 4"})
    page = clerk.post(address("handover-put", job.pk), {"place": "Cellar", "package": second.pk}, follow=True)

    assert [one.place for one in job.pickup.packages.all()] == ["Shelf C 4", "Cellar"]
    assert "Cellar" in page.content.decode()


def test_only_a_supervisor_vouches(clerk, facility, asked):
    job = collected(facility=facility)

    assert clerk.post(address("handover-vouch", job.pk), {"reason": "Known"}).status_code == 403
    clerk.force_login(staff("supervisor", facility))
    clerk.post(address("handover-vouch", job.pk), {"reason": "Known"})

    assert Pickup.objects.get().shown == "SUPERVISOR"


@pytest.mark.parametrize(
    ("data", "words"),
    [(bytes(10 * 1024 * 1024), "larger than 512 kB"), (b"no picture", "no PNG or JPEG")],
)
def test_unusable_signature_gives_no_goods(clerk, facility, data, words):
    from django.core.files.uploadedfile import SimpleUploadedFile

    PickupSettings.objects.create(asks_for_code=False, asks_for_signature=True)
    job = collected(facility=facility)

    answer = clerk.post(
        address("handover-confirm", job.pk), {"signature": SimpleUploadedFile("s.png", data, "image/png")}
    )

    assert (answer.status_code, words in answer.content.decode()) == (422, True)
    job.refresh_from_db()
    assert job.status == "OPEN"
