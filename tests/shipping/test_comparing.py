"""What carriers booked the day before, compared with what is known here, at a stub of the carrier."""

import base64
import datetime
import re

import pytest
import weasyprint
from django.urls import reverse
from django.utils import timezone

from shipping import comparing
from shipping.carriers import Listed
from shipping.carriers.dhl_parcel_de import DhlParcelDe, _tokens
from shipping.models import CarrierConnection, Parcel
from tests.carrierstub import DhlStub, answer
from tests.factories.shipping import connected, parcel, work

pytestmark = pytest.mark.django_db
CREDENTIALS = {"client_id": "id", "client_secret": "s", "username": "u", "password": "p"}
PRODUCTS = [{"product": "V01PAK", "billing_number": "33333333330101", "countries": ["NL", "DE"]}]
NUMBER, OTHER = "00340434161094042557", "00340434161094042588"


@pytest.fixture
def stub():
    _tokens.clear()
    with DhlStub().listening() as stub:
        yield stub


@pytest.fixture
def lost(stub, facility):
    """A parcel whose booking lost its answer."""
    connected(facility, "dhl_parcel_de", stub.url, credentials=CREDENTIALS, products=PRODUCTS)
    respond = stub.respond
    stub.respond = lambda asked: answer(502, {}) if asked.path.endswith("/orders") else respond(asked)
    waiting = parcel(1, facility=facility)
    work()
    waiting.refresh_from_db()
    assert (waiting.status, waiting.problem["outcome"]) == ("WAITING_FOR_INPUT", "UNKNOWN")
    stub.orders.clear()
    return waiting


def days(facility):
    """(the day of the call, the next morning)."""
    day = timezone.now().astimezone(facility.tz).date()
    at_eight = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time(8), facility.tz)
    return day, at_eight


def morning(facility, stub, body):
    day, now = days(facility)
    stub.listed = {day.isoformat(): body, "1999-01-01": {}}
    asked = len(stub.asked)
    assert comparing.compare_all(now=now) == 1
    # Asked for the list, and nothing was booked.
    assert {request.method for request in stub.asked[asked:] if "manifests" in request.path} == {"GET"}
    assert not [request for request in stub.asked[asked:] if request.path.endswith("/orders")]
    return day


def shown(client, packer, facility):
    client.force_login(packer)
    page = client.get(reverse("shipping:problem-list", args=[facility.slug])).content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_list_names_the_booking_of_a_lost_answer(client, packer, facility, stub, lost):
    reference = lost.attempts.get().reference

    day = morning(facility, stub, {"items": [{"shipmentNo": NUMBER, "refNo": reference.rjust(8, "0")}]})

    lost.refresh_from_db()
    assert lost.status == "WAITING_FOR_INPUT"  # a person decides
    assert lost.problem["listed"] == {"day": day.isoformat(), "numbers": [NUMBER], "is_certain": True}
    assert f"has it: {NUMBER}. Enter that number" in shown(client, packer, facility)
    # The booking belongs to that parcel: it is not shown as one that nobody knows.
    assert CarrierConnection.objects.get().strays == []


def test_lists_without_references_name_what_it_may_be(client, packer, facility, stub, lost):
    morning(facility, stub, {"items": [{"shipmentNo": NUMBER}]})

    lost.refresh_from_db()
    assert lost.problem["listed"]["numbers"] == [NUMBER]
    text = shown(client, packer, facility)
    assert f"has bookings that nobody here knows: {NUMBER}" in text
    assert "Dhl_Parcel_De booked what nobody here knows" in text


def test_list_without_unknown_bookings_says_that_nothing_was_booked(client, packer, facility, stub, lost):
    Parcel.objects.filter(pk=lost.pk).update(return_tracking_number=OTHER)

    morning(facility, stub, {"items": [{"shipmentNo": OTHER}]})

    assert "does not have it: it was not booked. Book it again." in shown(client, packer, facility)
    assert CarrierConnection.objects.get().strays == []


def test_day_is_compared_once_in_the_morning_and_again_after_a_fault(facility, stub, lost):
    day, now = days(facility)
    stub.listed = {day.isoformat(): {"items": []}}
    healthy = stub.respond
    stub.respond = lambda asked: answer(503, {}) if "manifests" in asked.path else healthy(asked)

    assert comparing.compare_all(now=now - datetime.timedelta(hours=3)) == 0  # five in the morning
    assert comparing.compare_all(now=now) == 0
    stub.respond = healthy
    assert comparing.compare_all(now=now) == 1
    assert comparing.compare_all(now=now) == 0
    lost.refresh_from_db()
    assert lost.problem["listed"]["numbers"] == []


def test_bookings_that_nobody_knows_are_shown_until_they_are_settled(client, packer, facility, stub, lost):
    morning(facility, stub, {"items": [{"shipmentNo": NUMBER, "refNo": "by hand 7"}]})
    assert "by hand 7" in shown(client, packer, facility)

    connection = CarrierConnection.objects.get()
    settle = reverse("shipping:strays-settle", args=[facility.slug, connection.pk])
    client.post(settle, {"until": connection.compared_on - datetime.timedelta(days=1)})
    assert "by hand 7" in shown(client, packer, facility)  # it came after what was seen
    client.post(settle, {"until": connection.compared_on})

    assert "by hand 7" not in shown(client, packer, facility)


def test_number_of_those_left_out_is_shown_alone_too(facility, stub, lost):
    CarrierConnection.objects.update(strays=[], strays_left_out=50)

    assert list(comparing.with_strays(facility)) == [CarrierConnection.objects.get()]


@pytest.mark.parametrize(("status", "days_done"), [(400, 1), (401, 0), (503, 0)])
def test_day_of_which_there_is_no_list_holds_up_no_other(facility, stub, lost, status, days_done):
    _day, now = days(facility)
    healthy = stub.respond
    stub.respond = lambda asked: answer(status, {}) if "manifests" in asked.path else healthy(asked)

    assert comparing.compare_all(now=now) == days_done

    lost.refresh_from_db()
    assert "listed" not in lost.problem  # nobody knows whether it was booked


def asked_days(stub):
    return [asked.query["date"][0] for asked in stub.asked if "manifests" in asked.path]


def test_all_strays_are_compared_and_those_that_are_not_kept_are_counted(
    client, packer, facility, stub, lost, monkeypatch
):
    monkeypatch.setattr(comparing, "MOST_STRAYS", 1)
    reference = lost.attempts.get().reference
    others = [{"shipmentNo": f"00340434161094042{tail}", "refNo": "by hand"} for tail in (601, 618, 625)]

    morning(facility, stub, {"items": [*others, {"shipmentNo": NUMBER, "refNo": reference}]})

    lost.refresh_from_db()
    assert lost.problem["listed"]["numbers"] == [NUMBER]
    connection = CarrierConnection.objects.get()
    assert [stray["number"] for stray in connection.strays] == [others[2]["shipmentNo"]]
    assert "2 earlier ones are not shown" in shown(client, packer, facility)
    comparing.settle(connection.pk, connection.compared_on, by=packer)
    connection.refresh_from_db()
    assert connection.strays_left_out == 0


def test_days_that_a_fault_left_out_are_made_up_for(facility, stub, lost):
    day, now = days(facility)
    stub.listed = {"1999-01-01": {}}
    comparing.compare_all(now=now)
    later = [day + datetime.timedelta(days=ahead) for ahead in range(1, 21)]
    healthy = stub.respond

    stub.asked.clear()
    assert comparing.compare_all(now=now + datetime.timedelta(days=3)) == 3
    assert asked_days(stub) == [each.isoformat() for each in later[:3]]

    stub.asked.clear()
    stub.respond = lambda asked: answer(503, {}) if "manifests" in asked.path else healthy(asked)
    assert comparing.compare_all(now=now + datetime.timedelta(days=20)) == 0
    stub.respond = healthy
    assert comparing.compare_all(now=now + datetime.timedelta(days=20)) == 7
    assert asked_days(stub) == [later[13].isoformat(), *(each.isoformat() for each in later[13:])]


def test_what_is_settled_while_the_carrier_is_asked_stays_settled(facility, stub, lost, monkeypatch):
    seen, now = days(facility)[0] - datetime.timedelta(days=1), days(facility)[1]
    strays = [{"number": OTHER, "reference": "", "day": seen.isoformat()}]
    CarrierConnection.objects.update(strays=strays, compared_on=seen)

    def listed(adapter, day):
        comparing.settle(CarrierConnection.objects.get().pk, seen, by=None)
        return [Listed(NUMBER, "by hand")]

    monkeypatch.setattr(DhlParcelDe, "listed", listed)
    comparing.compare_all(now=now)

    assert [stray["number"] for stray in CarrierConnection.objects.get().strays] == [NUMBER]


def test_printed_list_is_read_line_by_line(stub, facility):
    connection = connected(facility, "dhl_parcel_de", stub.url, credentials=CREDENTIALS, products=PRODUCTS)
    rows = [("1", NUMBER, "P0KX3-1", "33333333330101"), ("2", OTHER, "", "33333333330101")]
    table = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    pdf = weasyprint.HTML(string=f"<table>{table}</table>").write_pdf()
    stub.listed = {"2026-03-02": {"manifest": [{"b64": base64.b64encode(pdf).decode()}]}}

    listed = comparing.adapter_of(connection).listed(datetime.date(2026, 3, 2))

    assert listed == [Listed(NUMBER, "P0KX3-1"), Listed(OTHER)]
    assert comparing.adapter_of(connection).listed(datetime.date(2026, 3, 3)) == []
