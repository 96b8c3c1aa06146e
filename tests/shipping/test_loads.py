import datetime
import io
import uuid

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from PIL import Image, ImageDraw

from fulfillment.core import outbox
from fulfillment.core.events import delivery_for
from fulfillment.core.models import Document, OutboxEntry, StatusChange
from fulfillment.core.services import documents
from orders.events import OrderCancelled
from orders.models import ParcelRecord
from shipping import loads, manifests, services
from shipping.carriers import CarrierError, Outcome
from shipping.carriers.demo import Demo
from shipping.events import LoadClosed
from shipping.models import HandoverJob, Load, LoadedParcel, LoadScan, Parcel, Shipment
from tests.factories.core import CarrierFactory, FacilityCarrierFactory, FacilityFactory
from tests.factories.shipping import collected, labelled, parcel, shipment, work

pytestmark = pytest.mark.django_db
NOW = datetime.datetime(2026, 3, 2, 13, 0, tzinfo=datetime.UTC)  # a Monday; 14:00 in Amsterdam


def signature():
    picture = Image.new("L", (200, 80), 255)
    ImageDraw.Draw(picture).line([(10, 70), (100, 10), (190, 60)], fill=0, width=4)
    target = io.BytesIO()
    picture.save(target, "PNG")
    return target.getvalue()


def load_of(some_parcel, by=None):
    return loads.open_load(some_parcel.facility, some_parcel.carrier, by=by, now=timezone.now())


def loaded(*some_parcels, by=None):
    load = load_of(some_parcels[0], by)
    for one in some_parcels:
        loads.add(load.pk, one.code, by=by, now=timezone.now())
    return load


def close(load, counted=1, *, by=None, **options):
    options = {"driver_name": "Jan Jansen", "is_signed_on_paper": True, "now": timezone.now(), **options}
    return loads.close(load.pk, counted=counted, by=by, **options)


# Loading


def test_a_carrier_has_one_open_load_that_knows_its_cutoff(facility, packer):
    carrier = CarrierFactory(key="demo")
    FacilityCarrierFactory(facility=facility, carrier=carrier, cutoffs={"MONDAY": "16:00"})

    load = loads.open_load(facility, carrier, by=packer, now=NOW)

    assert load.cutoff_at == datetime.datetime(2026, 3, 2, 15, 0, tzinfo=datetime.UTC)
    assert loads.open_load(facility, carrier, by=packer, now=NOW) == load
    assert StatusChange.objects.filter(entity="shipping.load", action="create").count() == 1


@pytest.mark.parametrize("what", ["code", "tracking_number", "on the label"])
def test_parcel_is_loaded_by_its_codes_and_not_yet_handed_over(facility, packer, what):
    done = labelled(facility=facility)
    load = load_of(done)
    done.codes.create(code="JJD000390007882")

    loads.add(load.pk, getattr(done, what, "JJD000390007882"), by=packer, now=NOW)

    one = LoadedParcel.objects.get()
    assert (one.load, one.parcel, one.by, one.loaded_at) == (load, done, packer, NOW)
    assert HandoverJob.objects.get().status == "OPEN"
    assert StatusChange.objects.filter(entity="shipping.parcel", action="load").count() == 1


def test_unknown_code_is_refused(facility):
    load = load_of(labelled(facility=facility))

    with pytest.raises(services.UnknownParcel):
        loads.add(load.pk, "P999", by=None, now=NOW)


def test_parcel_of_another_facility_is_unknown(facility):
    load = load_of(labelled(facility=facility))
    there = labelled(facility=FacilityFactory(slug="there"), number="1002")

    with pytest.raises(services.UnknownParcel):
        loads.add(load.pk, there.code, by=None, now=NOW)


def test_parcel_of_another_carrier_is_refused(facility):
    done = labelled(facility=facility)
    other = loads.open_load(facility, CarrierFactory(key="other", name="Other"), by=None, now=NOW)

    with pytest.raises(loads.WrongCarrier, match="goes with Demo"):
        loads.add(other.pk, done.code, by=None, now=NOW)


def test_parcel_without_a_label_is_refused(facility):
    waiting = parcel(facility=facility)
    load = load_of(waiting)

    with pytest.raises(services.ParcelNotReady):
        loads.add(load.pk, waiting.code, by=None, now=NOW)


def cancel(order_id):
    with transaction.atomic():
        services.on_order_cancelled(OrderCancelled(order_id), by=None, now=timezone.now())


@pytest.mark.parametrize("what", ["code", "tracking_number"])
def test_cancelled_parcel_is_refused(facility, what):
    done = labelled(facility=facility)
    load = load_of(done)
    services.cancel_parcel(done.pk, by=None, now=NOW)

    with pytest.raises(loads.ParcelIsCancelled):
        loads.add(load.pk, getattr(done, what), by=None, now=NOW)

    assert not LoadedParcel.objects.exists()


def test_parcel_is_loaded_once(facility):
    done = labelled(facility=facility)
    load = loaded(done)

    with pytest.raises(loads.AlreadyOnThisLoad):
        loads.add(load.pk, done.code, by=None, now=NOW)

    assert LoadedParcel.objects.count() == 1


def test_parcel_of_a_load_that_left_is_refused_on_the_next(facility):
    done = labelled(facility=facility)
    close(loaded(done))

    with pytest.raises(loads.AlreadyLoaded):
        loads.add(load_of(done).pk, done.code, by=None, now=NOW)


def test_parcel_that_was_handed_over_without_a_load_is_refused(facility):
    done = labelled(facility=facility)
    services.hand_over(HandoverJob.objects.get().pk, by=None, now=NOW)

    with pytest.raises(loads.AlreadyGone):
        loads.add(load_of(done).pk, done.code, by=None, now=NOW)


def test_load_that_left_takes_nothing(facility):
    first, second = labelled(facility=facility), labelled(facility=facility, number="1002")
    load = close(loaded(first))

    with pytest.raises(loads.LoadIsClosed):
        loads.add(load.pk, second.code, by=None, now=NOW)
    with pytest.raises(loads.LoadIsClosed):
        loads.take_off(load.pk, first.pk, by=None, now=NOW)


def test_parcel_that_is_taken_off_can_be_loaded_again(facility):
    done = labelled(facility=facility)
    load = loaded(done)

    loads.take_off(load.pk, done.pk, by=None, now=NOW)

    with pytest.raises(loads.NotOnTheLoad):
        loads.take_off(load.pk, done.pk, by=None, now=NOW)
    loads.add(load.pk, done.code, by=None, now=NOW)
    assert LoadedParcel.objects.get().parcel == done


def test_labelled_but_not_loaded_parcels_are_told(facility):
    first, second = labelled(facility=facility), labelled(facility=facility, number="1002")
    parcel(facility=facility, number="1003")
    collected(facility=facility, number="1004")
    load = loaded(first)

    assert [job.parcel for job in loads.left_behind(load)] == [second]


# Each scan once


def scan(load, code, number=None):
    return loads.Scan(number or uuid.uuid4(), load.pk, code)


def test_same_scan_gets_the_same_answer_and_loads_once(facility, packer):
    done = labelled(facility=facility)
    one = scan(load_of(done), done.code)

    first = loads.act(one, facility=facility, by=packer, now=NOW)
    again = loads.act(one, facility=facility, by=packer, now=NOW)

    assert (first.status_code, first.data["kind"], first.is_replay) == (200, "ok", False)
    assert (again.data, again.is_replay) == (first.data, True)
    assert LoadedParcel.objects.count() == LoadScan.objects.count() == 1


def test_second_scan_of_a_parcel_is_refused_and_that_answer_is_kept(facility, packer):
    done = labelled(facility=facility)
    load = loaded(done)
    one = scan(load, done.code)

    answer = loads.act(one, facility=facility, by=packer, now=NOW)

    assert (answer.status_code, answer.data["kind"]) == (422, "too_many")
    assert loads.act(one, facility=facility, by=packer, now=NOW).data == answer.data
    assert LoadedParcel.objects.count() == 1


def test_id_of_a_scan_is_not_used_for_another_code(facility, packer):
    done = labelled(facility=facility)
    one = scan(load_of(done), done.code)
    loads.act(one, facility=facility, by=packer, now=NOW)

    answer = loads.act(scan(load_of(done), "P1", one.id), facility=facility, by=packer, now=NOW)

    assert (answer.status_code, answer.data["kind"]) == (409, "stale")


def test_scan_for_a_load_of_another_facility_is_stale(facility, packer):
    load = load_of(labelled(facility=FacilityFactory(slug="there")))

    answer = loads.act(scan(load, "P1"), facility=facility, by=packer, now=NOW)

    assert (answer.status_code, answer.data["kind"]) == (409, "stale")


# Leaving


def test_closed_load_hands_all_its_parcels_over(facility, packer):
    asked = shipment(2, facility=facility, packages=2)
    work()
    load = loaded(*asked.parcels.all())

    close(load, 2, by=packer, now=NOW)

    load.refresh_from_db()
    assert (load.status, load.driver_name, load.closed_at) == ("CLOSED", "Jan Jansen", NOW)
    assert {job.status for job in HandoverJob.objects.all()} == {"HANDED_OVER"}
    assert Shipment.objects.get().status == "COMPLETED"
    assert {record.handed_over_at for record in ParcelRecord.objects.all()} == {NOW}
    assert OutboxEntry.objects.filter(event="LoadClosed").count() == 2
    assert StatusChange.objects.filter(entity="shipping.load", action="close").count() == 1


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"driver_name": "  "}, loads.DriverMissing),
        ({"is_signed_on_paper": False}, loads.SignatureMissing),
        ({"counted": 2}, loads.CountDiffers),
    ],
)
def test_close_refuses_what_is_missing(facility, change, refusal):
    load = loaded(labelled(facility=facility))

    with pytest.raises(refusal):
        close(load, **change)

    load.refresh_from_db()
    assert load.status == "OPEN"
    assert HandoverJob.objects.get().status == "OPEN"


def test_empty_load_does_not_leave(facility):
    with pytest.raises(loads.NothingLoaded):
        close(load_of(labelled(facility=facility)), 0)


def test_parcel_that_was_cancelled_on_the_load_is_taken_off_first(facility):
    first, second = labelled(facility=facility), labelled(facility=facility, number="1002")
    load = loaded(first, second)
    cancel(first.order_id)

    with pytest.raises(loads.CancelledOnLoad, match=first.tracking_number):
        close(load, 2)
    loads.take_off(load.pk, first.pk, by=None, now=NOW)
    close(load, 1)

    assert HandoverJob.objects.get(parcel=second).status == "HANDED_OVER"


def wait(some_parcel):
    services.wait_for_input(some_parcel.handover_job.pk, by=None, now=timezone.now())


def test_parcel_that_waits_for_a_decision_is_not_loaded(facility):
    done = labelled(facility=facility)
    load = load_of(done)
    wait(done)

    with pytest.raises(loads.WaitsForDecision):
        loads.add(load.pk, done.code, by=None, now=NOW)
    with pytest.raises(loads.WaitsForDecision):
        loads.add_anywhere(facility, done.code, by=None, now=NOW)

    assert not LoadedParcel.objects.exists()


def test_parcel_that_waits_for_a_decision_keeps_the_load(facility):
    done = labelled(facility=facility)
    load = loaded(done)
    wait(done)

    with pytest.raises(loads.WaitingOnLoad, match=done.tracking_number):
        close(load)
    assert HandoverJob.objects.get().status == "WAITING_FOR_INPUT"
    services.go_on(done.handover_job.pk, by=None, now=timezone.now())
    close(load)

    assert HandoverJob.objects.get().status == "HANDED_OVER"


def test_order_is_locked_before_a_load_is_opened_for_its_parcel(facility):
    done = labelled(facility=facility)

    with CaptureQueriesContext(connection) as asked:
        loads.add_anywhere(facility, done.code, by=None, now=NOW)

    queries = [query["sql"] for query in asked]
    locked = next(index for index, sql in enumerate(queries) if 'FROM "orders_order"' in sql)
    opened = next(index for index, sql in enumerate(queries) if sql.startswith('INSERT INTO "shipping_load"'))
    assert locked < opened


def test_order_of_a_parcel_on_a_manifest_is_not_cancelled(facility):
    done = labelled(facility=facility)
    close(loaded(done))

    with pytest.raises(services.AlreadyHandedOver):
        cancel(done.order_id)
    with pytest.raises(services.ParcelHandedOver):
        services.cancel_parcel(done.pk, by=None, now=NOW)

    assert Parcel.objects.get().status == "DONE"


def test_parcel_on_a_manifest_is_taken_back_by_nobody_alone(facility):
    close(loaded(labelled(facility=facility)))

    with pytest.raises(services.OnAManifest):
        services.revert(HandoverJob.objects.get().pk, reason="Wrong van", by=None, now=timezone.now())


def test_reopened_load_takes_its_parcels_back_whenever_it_was(facility, packer):
    done = labelled(facility=facility)
    load = loaded(done)
    close(load, now=NOW)
    work()

    loads.reopen(load.pk, reason="One is missing", by=packer, now=NOW + datetime.timedelta(hours=3))

    load.refresh_from_db()
    assert (load.status, load.driver_name, load.closed_at, load.manifest) == ("OPEN", "", None, None)
    assert HandoverJob.objects.get().status == "OPEN"
    assert Shipment.objects.get().status == "CONFIRMED"
    assert ParcelRecord.objects.get().handed_over_at is None
    assert Document.objects.filter(name__startswith="load-demo").count() == 1
    close(load)
    assert HandoverJob.objects.get().status == "HANDED_OVER"


def test_reopen_refuses_without_a_reason_and_beside_an_open_load(facility):
    done = labelled(facility=facility)
    load = close(loaded(done))

    with pytest.raises(services.ReasonMissing):
        loads.reopen(load.pk, reason=" ", by=None, now=NOW)
    load_of(done)
    with pytest.raises(loads.AnotherLoadOpen):
        loads.reopen(load.pk, reason="Forgot one", by=None, now=NOW)


# The list


@pytest.mark.drawn
def test_manifest_says_what_left_with_whom_and_is_drawn_once(facility, read_pdf):
    done = labelled(facility=facility)
    load = close(loaded(done), signature=signature())

    work()
    loads.make_manifest(LoadClosed(load.pk))

    load.refresh_from_db()
    stored = Document.objects.get(name__startswith="load-demo")
    assert load.manifest == stored
    printed = read_pdf(documents.read(stored))
    for words in ("Jan Jansen", done.tracking_number, done.code, "Demo"):
        assert words in printed.text
    again = manifests.render(stored.snapshot, documents.kept(stored.snapshot["signature"]))
    assert again == documents.read(stored)


def test_manifest_of_a_load_that_was_reopened_is_not_drawn(facility):
    load = close(loaded(labelled(facility=facility)))
    loads.reopen(load.pk, reason="Forgot one", by=None, now=timezone.now())

    work()

    assert not Document.objects.filter(name__startswith="load-demo").exists()


@pytest.fixture
def carrier_with_a_list(monkeypatch):
    """What the demo carrier answers when its own list is asked for; ``asked`` is what it heard."""

    class Carrier:
        asked = []
        answer = b"%PDF-1.7 theirs"

    def manifest(self, numbers, day):
        Carrier.asked.append((numbers, day))
        if isinstance(Carrier.answer, Exception):
            raise Carrier.answer
        return Carrier.answer

    Carrier.asked = []
    monkeypatch.setattr(Demo, "capabilities", Demo.capabilities | {"manifest"})
    monkeypatch.setattr(Demo, "manifest", manifest, raising=False)
    return Carrier


def test_carrier_is_told_what_it_has_and_its_list_is_kept(facility, carrier_with_a_list):
    done = labelled(facility=facility)
    load = close(loaded(done), now=NOW)

    work()
    loads.ask_carrier(LoadClosed(load.pk))

    load.refresh_from_db()
    assert carrier_with_a_list.asked == [([done.tracking_number], datetime.date(2026, 3, 2))]
    assert documents.read(load.carrier_manifest) == b"%PDF-1.7 theirs"
    loads.reopen(load.pk, reason="One is missing", by=None, now=timezone.now())
    with pytest.raises(services.ParcelClosed):
        services.cancel_parcel(done.pk, by=None, now=timezone.now())


def test_what_the_carrier_refuses_is_read_at_the_load_and_asked_again(facility, carrier_with_a_list):
    load = close(loaded(labelled(facility=facility)))
    carrier_with_a_list.answer = CarrierError(Outcome.REJECTED, "Too late today.")

    work()

    load.refresh_from_db()
    assert (load.carrier_problem, load.carrier_manifest) == (
        "Demo does not close the day: Too late today.",
        None,
    )
    carrier_with_a_list.answer = b"%PDF-1.7"
    loads.ask_carrier_again(load.pk, by=None, now=timezone.now())
    work()
    load.refresh_from_db()
    assert (load.carrier_problem, load.carrier_manifest is None) == ("", False)


def test_carrier_that_is_down_is_asked_later(facility, carrier_with_a_list):
    load = close(loaded(labelled(facility=facility)))
    carrier_with_a_list.answer = CarrierError(Outcome.RETRY, "Busy.", seconds=40)

    outbox.dispatch("labels", find=delivery_for)

    entry = OutboxEntry.objects.get(handler="shipping.loads.ask_carrier")
    assert (entry.state, entry.attempts) == ("DUE", 1)
    load.refresh_from_db()
    assert load.carrier_problem == ""
    assert Load.objects.get().manifest is not None
