"""The crew of the demo finds its way through the pages of the staff as they are."""

import json
from collections import Counter

import httpx
import pytest
from django.test import Client

from fulfillment.core import outbox
from fulfillment.core.errors import Refused
from fulfillment.core.events import delivery_for
from fulfillment.demo import balance
from fulfillment.demo.crew import Crew
from fulfillment.demo.pages import PageError
from orders.models import Order
from picking.models import PickJob, RestowItem
from shipping.models import HandoverJob, ItemReturn, Parcel, Shipment
from tests.factories.core import (
    ArticleFactory,
    FacilityCarrierFactory,
    FacilityFactory,
    StorageLocationFactory,
    api_token,
    put_stock,
    staff,
)
from tests.factories.orders import wire_order

pytestmark = pytest.mark.django_db

PASSWORD = "a-demo-password"
CODES = {"MUG": "4006381333931", "LAMP": "4006381333948"}


def answer(request):
    """Let the system answer without a network, in the transaction of the test."""
    names = {"Cookie", "Referer"} & {name.title() for name in request.headers}
    response = Client().generic(
        request.method,
        request.url.raw_path.decode(),
        request.content,
        request.headers.get("Content-Type", ""),
        headers={name: request.headers[name] for name in names},
    )
    cookies = [("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()]
    return httpx.Response(
        response.status_code, headers=[*response.items(), *cookies], content=response.content
    )


@pytest.fixture
def facility():
    facility = FacilityFactory(slug="here")
    FacilityCarrierFactory(facility=facility)
    for sku, code in CODES.items():
        article = ArticleFactory(sku=sku, code=code)
        put_stock(facility, article, 9, location=StorageLocationFactory(facility=facility))
    return facility


@pytest.fixture
def crew(facility):
    people = {}
    for role in ("picker", "packer", "supervisor"):
        staff(role, facility, email=f"{role}@demo.example", password=PASSWORD)
        people[role] = (f"{role}@demo.example", PASSWORD)
    FacilityFactory(slug="there")  # nobody of the crew works there
    crew = Crew("http://testserver", people, CODES, transport=httpx.MockTransport(answer))
    crew.facilities = [facility.slug]  # who works at one place only is not asked where
    return crew


def place(client, *lines, **fields):
    response = client.post(
        "/api/orders",
        json.dumps(wire_order(*lines, **fields)),
        content_type="application/json",
        headers={"Authorization": f"Bearer {api_token()}"},
    )
    assert response.status_code == 201, response.content
    return Order.objects.get(pk=response.json()["id"])


def work_off(*lanes):
    for lane in lanes:
        outbox.dispatch(lane, find=delivery_for)


def test_crew_works_every_order_to_the_handover(client, crew):
    plain = wire_order()["consumer"]["addresses"][0]
    place(client, ("MUG", 3), ("LAMP", 1), tenantOrderId="W-1")
    place(
        client, ("LAMP", 2), tenantOrderId="W-2", consumer={"addresses": [{**plain, "houseNumber": "REJECT"}]}
    )
    work_off("routing")

    while crew.round():
        work_off("routing", "labels")

    assert Counter(PickJob.objects.values_list("status", flat=True)) == {"CLOSED": 2}
    assert Counter(Parcel.objects.values_list("status", flat=True)) == {"DONE": 2}
    assert Counter(HandoverJob.objects.values_list("status", flat=True)) == {"HANDED_OVER": 2}
    assert {stage: crew.done["here", stage] for stage in ("pick", "pack", "handover")} == {
        "pick": 2,
        "pack": 2,
        "handover": 2,
    }
    assert crew.done["", "short"] == 1
    left = balance.units_handed_over()
    assert sum(left.values()) == 3 + 1 + 2 - 1
    assert balance.difference(balance.units_received(), balance.units_in_stock(), left) == {}


def test_customer_gives_a_unit_back_and_it_lies_on_its_shelf(client, crew):
    place(client, ("MUG", 2), ("LAMP", 1))
    crew.is_short_due = False
    work_off("routing")
    while crew.round():
        work_off("routing", "labels")
    code = Shipment.objects.get().return_code

    crew.give_back("here", code)

    assert ItemReturn.objects.get().status == "FINISHED"
    assert RestowItem.objects.get().status == "CLOSED"
    left = balance.units_handed_over()
    assert left == {"MUG": 1, "LAMP": 1}
    assert balance.difference(balance.units_received(), balance.units_in_stock(), left) == {}


def test_crew_does_not_go_round_when_a_job_does_not_close(client, crew, monkeypatch):
    place(client, ("MUG", 1))
    work_off("routing")

    def refuse(*arguments, **options):
        raise Refused

    monkeypatch.setattr("picking.scans.services.close", refuse)

    with pytest.raises(PageError, match="does not close"):
        crew.round()
