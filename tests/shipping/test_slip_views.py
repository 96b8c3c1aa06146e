"""Customers announce what they send back."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.codes import check_character
from shipping import returns, slip_views
from shipping.models import ItemReturn, ReturnedItem, ReturnReason, Shipment
from tests.factories.returns import opened, received, slip_code, taken
from tests.factories.shipping import parcel

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(facility):
    """What was handed over, and a slip with a code: drawing it is not what is tested here."""
    waiting = parcel(1, facility=facility, number="999")
    job = taken(2, 1, facility=facility)
    Shipment.objects.filter(pk=waiting.shipment_id).update(order=job.order_id, return_code=code_of(1))
    return job


def code_of(number):
    body = f"R{number:010}"
    return body + check_character(body)


def url(code):
    return reverse("slip", args=[code])


def announce(client, job, *units, **reasons):
    data = {f"units-{line.pk}": count for line, count in zip(job.lines.all(), units, strict=True)}
    data |= {f"reason-{job.lines.first().pk}": reason.pk for reason in reasons.values()}
    return client.post(url(slip_code(job)), data, follow=True)


def test_code_that_is_typed_in_any_way_leads_to_the_articles(client, job):
    code = slip_code(job)

    page = client.post(reverse("slip-enter"), {"code": f" {code[:5].lower()}-{code[5:]} "}, follow=True)

    assert page.redirect_chain[-1][0] == url(code)
    text = page.content.decode()
    for line in job.lines.all():
        assert line.title in text
    assert page["X-Robots-Tag"] == "noindex, nofollow"
    assert "no-store" in page["Cache-Control"]


def test_page_says_nothing_of_the_person(client, job):
    address = job.order.shipping_address

    text = client.get(url(slip_code(job))).content.decode()

    told = [
        job.order.recipient_name,
        address.last_name,
        address.street,
        address.city,
        job.order.tenant_order_id,
    ]
    # As whole words: the digits of an order's number may stand in an id.
    assert [word for word in told if word and re.search(rf"\b{re.escape(word)}\b", text)] == []


def test_return_is_announced_changed_and_taken_back(client, job):
    reason = ReturnReason.objects.get(key="damaged")

    first = announce(client, job, 2, 1, reason=reason)
    assert "Your return is announced" in first.content.decode()
    assert ReturnedItem.objects.filter(reason=reason).count() == 2
    announce(client, job, 1, "")
    assert ReturnedItem.objects.count() == 1
    announce(client, job, 0, 0)

    assert ItemReturn.objects.get().status == "CANCELED"


def test_announcing_twice_is_one_return(client, job):
    for _again in range(2):
        announce(client, job, 1, 0)

    assert ItemReturn.objects.count() == ReturnedItem.objects.count() == 1


@pytest.mark.parametrize("units", [(3, 0), (-1, 0), ("x", 0)])
def test_impossible_units_are_refused_beside_their_field(client, job, units):
    page = announce(client, job, *units)

    assert page.status_code == 422
    assert not ItemReturn.objects.exists()


def test_nothing_is_no_return(client, job):
    page = announce(client, job, 0, 0)

    assert not ItemReturn.objects.exists()
    assert (page.status_code, "Say what comes back." in page.content.decode()) == (422, True)


def test_what_arrived_is_not_changed_from_outside(client, job):
    announce(client, job, 2, 0)
    opened(job)

    page = announce(client, job, 0, 1)

    assert "arrived here already" in page.content.decode()
    assert ReturnedItem.objects.filter(item_return__status="OPEN").count() == 2


def test_what_is_back_is_not_offered_again(client, job):
    received(job, 2)
    page = client.get(url(slip_code(job)))

    assert [line for line, _units, _reason in page.context["form"].rows] == [job.lines.last()]
    returns.receive(ItemReturn.objects.get().pk, job.lines.last().pk, 1, None, by=None, now=timezone.now())
    assert "Nothing of this delivery" in client.get(url(slip_code(job))).content.decode()


def test_no_more_returns_are_taken(client, job):
    returns.finish_job(job.pk, by=None, now=timezone.now())

    page = client.get(url(slip_code(job)))

    assert "Nothing of this delivery" in page.content.decode()
    assert client.post(url(slip_code(job)), {"units": 1}).status_code == 422


def test_parcel_that_did_not_leave_has_nothing_to_return(client, facility):
    waiting = parcel(1, facility=facility)
    Shipment.objects.filter(pk=waiting.shipment_id).update(return_code=code_of(2))

    page = client.get(url(code_of(2)))

    assert "Nothing of this delivery" in page.content.decode()


@pytest.mark.parametrize("code", ["R123", "0" * 12, "<script>alert(1)</script>", "R" + "0" * 60, "R%00"])
def test_what_is_no_code_is_not_found(client, job, code):
    page = client.get(f"/returns/{code}/")
    typed = client.post(reverse("slip-enter"), {"code": code})

    assert (page.status_code, typed.status_code) == (404, 422)
    assert "<script>alert" not in page.content.decode() + typed.content.decode()


def test_guessing_codes_is_stopped_for_the_right_one_too(client, job, monkeypatch):
    monkeypatch.setattr(slip_views, "MISSES", 3)

    for number in (2, 3, 4):
        assert client.get(url(code_of(number))).status_code == 404
    refused = client.get(url(slip_code(job)))

    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert client.get(url(slip_code(job)), REMOTE_ADDR="192.0.2.7").status_code == 200


def test_too_many_requests_are_refused(client, job, monkeypatch):
    monkeypatch.setattr(slip_views, "REQUESTS", 2)

    answers = [client.get(url(slip_code(job))).status_code for _request in range(3)]

    assert answers == [200, 200, 429]
