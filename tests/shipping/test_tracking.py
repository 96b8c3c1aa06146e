import datetime
import hashlib
import hmac
import json

import pytest
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.models import StatusChange
from fulfillment.overview.models import WebhookEvent
from orders.models import ParcelRecord
from shipping import loads, manifests, tracking
from shipping.carriers import CarrierError, Outcome, Track
from shipping.carriers.demo import Demo
from shipping.models import HandoverJob, Load, Parcel, TrackEvent
from tests.factories.core import FacilityFactory
from tests.factories.overview import subscribe
from tests.factories.shipping import connected, labelled, parcel

pytestmark = pytest.mark.django_db

NOON = datetime.datetime(2026, 3, 2, 12, 0, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


def tell(done, *entries, source="POLL"):
    """Record (status, hours after noon) of a parcel."""
    tracks = [
        Track(done.tracking_number, status, NOON + hours * HOUR, carrier_status=status)
        for status, hours in entries
    ]
    tracking.record(done.pk, tracks, source, by=None, now=timezone.now())
    done.refresh_from_db()
    return done


@pytest.fixture
def asked(monkeypatch):
    """Numbers that the demo carrier was asked about, call by call."""
    calls = []

    def track(adapter, numbers):
        calls.append(sorted(numbers))
        return [Track(number, "transit", NOON) for number in numbers]

    monkeypatch.setattr(Demo, "track", track)
    return calls


def test_latest_event_says_where_a_parcel_is_and_the_shop_hears_it(facility):
    subscribe(event="PARCEL_TRACK_AND_TRACE_STATUS_UPDATED")
    done = labelled(facility=facility)
    version = done.version

    tell(done, ("transit", 1), ("registered", 0))

    assert (done.tracking_status, done.version) == ("transit", version + 1)
    record = ParcelRecord.objects.get()
    assert (record.tracking_status, record.tracked_at) == ("transit", NOON + HOUR)
    event = WebhookEvent.objects.get()
    assert event.payload["result"]["trackingStatus"] == "transit"


@pytest.mark.parametrize(
    ("status", "expected"),
    [("registered", "OPEN"), ("picked_up", "HANDED_OVER"), ("delivered", "HANDED_OVER")],
)
def test_parcel_that_the_carrier_has_is_handed_over(facility, status, expected):
    done = labelled(facility=facility)

    tell(done, (status, 1))
    tell(done, ("out_for_delivery", 2) if expected != "OPEN" else (status, 1))

    job = HandoverJob.objects.get()
    assert job.status == expected
    changes = StatusChange.objects.filter(entity="shipping.handoverjob", action="seen_by_carrier")
    assert list(changes.values_list("after", flat=True)) == ["HANDED_OVER"] * (expected != "OPEN")


def test_load_leaves_with_a_parcel_that_the_carrier_saw_before_the_driver_signed(facility):
    done, now = labelled(facility=facility), timezone.now()
    load = loads.open_load(facility, done.carrier, by=None, now=now)
    loads.add(load.pk, done.code, by=None, now=now)
    tell(done, ("picked_up", 1))

    loads.close(load.pk, driver_name="Jan", counted=1, is_signed_on_paper=True, by=None, now=now)

    assert HandoverJob.objects.get().status == "HANDED_OVER"
    assert manifests.snapshot_of(Load.objects.get())["parcels"][0]["code"] == done.code


def test_what_is_told_twice_is_kept_once_and_changes_nothing(facility):
    done = tell(labelled(facility=facility), ("transit", 1))
    version = done.version

    tell(done, ("transit", 1), source="WEBHOOK")

    assert (TrackEvent.objects.count(), done.version) == (1, version)


def test_event_that_comes_late_does_not_turn_the_parcel_back(facility):
    done = tell(labelled(facility=facility), ("delivered", 5))

    tell(done, ("transit", 2))

    assert done.tracking_status == "delivered"
    assert TrackEvent.objects.count() == 2


def test_status_that_is_none_of_ours_and_a_time_in_the_future(facility):
    done = labelled(facility=facility)
    future = Track(done.tracking_number, "delivered", timezone.now() + 50 * HOUR)

    tracking.record(
        done.pk, [Track(done.tracking_number, "teleported", NOON), future], "API", by=None, now=timezone.now()
    )

    done.refresh_from_db()
    assert done.tracking_status == "unknown"


def test_poll_asks_once_per_carrier_for_parcels_in_flight_only(facility, asked):
    flying = [labelled(facility=facility, number=str(number)) for number in range(2)]
    tell(labelled(facility=facility, number="delivered"), ("delivered", 1))
    old = labelled(facility=facility, number="old")
    parcel(facility=facility, number="waiting")
    Parcel.objects.filter(pk=old.pk).update(created_at=timezone.now() - datetime.timedelta(days=31))
    now = timezone.now()

    assert tracking.poll(now=now) == 2
    assert asked == [sorted(done.tracking_number for done in flying)]
    assert set(
        Parcel.objects.filter(pk__in=[done.pk for done in flying]).values_list("tracking_status", flat=True)
    ) == {"transit"}

    assert tracking.poll(now=now + HOUR / 4) == 0
    assert tracking.poll(now=now + HOUR) == 2


def test_carrier_that_is_down_is_asked_again_later_and_the_others_now(facility, monkeypatch):
    labelled(facility=facility)
    labelled(facility=FacilityFactory(), number="2")
    calls = []

    def down(adapter, numbers):
        calls.append(numbers)
        raise CarrierError(Outcome.RETRY, "Down.")

    monkeypatch.setattr(Demo, "track", down)
    now = timezone.now()

    tracking.poll(now=now)
    tracking.poll(now=now)

    assert len(calls) == 2


# Told by the carrier


def hook(client, connection, secret, events):
    body = json.dumps({"events": events})
    signature = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    return client.post(
        reverse("carrier-hook", args=[connection.pk]),
        body,
        content_type="application/json",
        headers={"X-Hmac-Signature": f"hmac-sha256-hex={signature}"},
    )


@pytest.fixture
def told(facility):
    """(connection, its secret, a parcel that was booked through it)."""
    connection = connected(facility, "demo")
    secret = connection.renew_webhook_secret()
    connection.save()
    return connection, secret, labelled(facility=facility)


def event(done, **fields):
    return {"number": done.tracking_number, "status": "delivered", "at": "2026-03-02T12:00:00Z", **fields}


def test_signed_message_moves_the_parcel_and_is_idempotent(client, told):
    connection, secret, done = told

    answers = [hook(client, connection, secret, [event(done)]).status_code for _time in range(2)]

    done.refresh_from_db()
    assert answers == [204, 204]
    assert done.tracking_status == "delivered"
    assert TrackEvent.objects.get().source == "WEBHOOK"


def test_message_without_the_right_signature_changes_nothing(client, told):
    connection, _secret, done = told

    assert hook(client, connection, "wrong", [event(done)]).status_code == 401
    unsigned = client.post(
        reverse("carrier-hook", args=[connection.pk]), "{}", content_type="application/json"
    )
    assert unsigned.status_code == 401
    assert not TrackEvent.objects.exists()


def test_message_without_a_secret_of_ours_is_never_believed(client, facility):
    connection = connected(facility, "demo")

    assert hook(client, connection, "", []).status_code == 401


@pytest.mark.parametrize("events", [[{}], [{"number": "1", "status": "x", "at": "yesterday"}], 5, {"a": 1}])
def test_signed_nonsense_is_refused(client, told, events):
    connection, secret, _done = told

    assert hook(client, connection, secret, events).status_code == 400


def test_carrier_tells_nothing_of_the_parcels_of_others(client, told):
    connection, secret, _done = told
    foreign = labelled(facility=FacilityFactory(), number="2")

    assert hook(client, connection, secret, [event(foreign)]).status_code == 204
    assert not TrackEvent.objects.exists()


def test_unknown_connection_is_not_found(client, facility):
    assert client.post(reverse("carrier-hook", args=[facility.pk])).status_code == 404
