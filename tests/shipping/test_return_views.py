"""The screens on which returns are taken."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from picking.models import RestowItem
from shipping import returns
from shipping.models import ItemReturn, ReturnedItem, ReturnReason, Shipment
from tests.factories.core import FacilityFactory, staff
from tests.factories.returns import finished, opened, received, sent, slip_code, taken

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(client, packer):
    client.force_login(packer)
    return client


@pytest.fixture
def job(facility):
    return taken(2, 1, facility=facility)


def url(name, row=None, slug="here"):
    return reverse(f"shipping:return-{name}", args=[slug, row.pk] if row else [slug])


def text(answer):
    return answer.content.decode()


def scan(client, code):
    return client.post(url("scan"), {"code": code}, follow=True)


def press(client, page, job, slug="here"):
    """The button of one of the orders that were found."""
    address = reverse("shipping:return-job-open", args=[slug, job.pk])
    assert address in text(page)
    return client.post(address, {"named": page.context["named"]}, follow=True)


def receive(client, row, line, condition="as-new", units=1, **fields):
    data = {"line": line.pk, "condition": condition, "units": units, **fields}
    return client.post(url("receive", row), data, follow=True)


@pytest.mark.parametrize(
    "before", ["https://fulfillment.example/returns/%s/", "httpsÖ--fulfillment.example-returns-%s-"]
)
def test_slip_with_a_link_opens_the_return_whatever_the_keyboard_makes_of_its_signs(client, facility, before):
    job = sent(1, facility=facility)

    page = scan(client, before % slip_code(job))

    assert page.redirect_chain[-1][0] == url("detail", ItemReturn.objects.get())


def test_slip_opens_the_return_and_scans_lead_to_its_end(client, facility):
    job = sent(2, 1, facility=facility)
    first, second = job.lines.all()

    page = scan(client, slip_code(job).lower())
    row = ItemReturn.objects.get()
    assert page.redirect_chain[-1][0] == url("detail", row)
    assert "Scan the article" in text(page)
    chosen = client.post(url("article", row), {"code": first.article.sku}, follow=True)
    assert "How does it look?" in text(chosen)
    receive(client, row, first, units=2)
    receive(client, row, second, "damaged", comment="Cracked")
    assert "Finish: 3 accepted, 0 rejected" in " ".join(text(client.get(url("detail", row))).split())
    done = client.post(url("finish", row), follow=True)

    assert "The customer gets 59.70 EUR" in " ".join(text(done).split())
    assert sorted(RestowItem.objects.values_list("quantity", "is_defective")) == [(1, True), (2, False)]


def test_name_lists_whose_it_may_be(client, job, facility):
    taken(1, facility=facility, number="1002")

    page = scan(client, job.order.recipient_name[:5])

    assert len(page.context["jobs"]) == 2
    assert not ItemReturn.objects.exists()
    opened_page = press(client, page, job)
    assert opened_page.context["row"].job == job


@pytest.mark.parametrize("code", ["nothing-like-this", "", "a\0b", "<script>"])
def test_unknown_code_opens_nothing(client, job, code):
    page = scan(client, code)

    assert page.status_code == 200
    assert page.context["messages"]
    assert "<script>" not in text(page).partition("<main")[2]
    assert not ItemReturn.objects.exists()


def test_article_of_another_order_is_refused_and_the_next_slip_is_not(client, job, facility):
    row, other = opened(job), sent(1, facility=facility, number="1002")

    wrong = client.post(url("article", row), {"code": other.lines.get().article.sku}, follow=True)
    following = client.post(url("article", row), {"code": slip_code(other)}, follow=True)

    assert "was not sent with order" in text(wrong)
    assert following.context["row"].job == other


def test_slip_of_another_parcel_of_the_order_belongs_to_the_same_return(client, job, facility):
    row = opened(job)
    second = sent(1, facility=facility, number="1002")  # as the second shipment of the same order
    slip = slip_code(second)
    Shipment.objects.filter(return_code=slip).update(order=job.order)

    page = client.post(url("article", row), {"code": slip}, follow=True)

    assert page.context["row"] == row
    assert f"{slip} belongs to this return, too." in text(page)


def test_only_article_is_asked_for_without_a_scan(client, facility):
    job = taken(1, facility=facility)

    page = client.get(url("detail", opened(job)))

    assert page.context["chosen"] == job.lines.get()


def test_more_than_was_handed_over_is_refused(client, job):
    row = opened(job)

    page = receive(client, row, job.lines.first(), units=3)
    form = receive(client, row, job.lines.first(), units=101)

    assert "Only 2 of" in text(page)
    assert form.status_code == 422
    assert not ReturnedItem.objects.exists()


def test_condition_pressed_twice_counts_once(client, job):
    row, line = opened(job), job.lines.first()
    page = client.get(url("detail", row), {"line": line.pk})
    action = page.context["receive_form"]["action"].value()
    assert f'value="{action}"' in text(page)

    first = receive(client, row, line, action=action)
    again = receive(client, row, line, "damaged", units=2, action=action)
    assert ReturnedItem.objects.count() == 1
    (told,), (told_again,) = first.context["messages"], again.context["messages"]
    assert str(told) == f"1 × {line.title}: As new."
    assert str(told_again) == f"Noted before, nothing is added: 1 × {line.title}: As new."
    receive(client, row, line, action="c0ffee00-0000-4000-8000-000000000000")

    assert ReturnedItem.objects.count() == 2


def test_decision_is_changed(client, job):
    row = received(job, 2)
    first, second = row.items.all()

    def judge(item, **fields):
        return client.post(url("judge", row), {"items": [item.pk], **fields}, follow=True)

    without_reason = judge(first, decision="REJECT", reason=" ")
    judge(first, decision="REJECT", reason="<b>Not ours</b>")
    page = judge(second, decision="DEFECTIVE")

    assert "Say why." in text(without_reason)
    assert "&lt;b&gt;Not ours&lt;/b&gt;" in text(page)
    assert list(row.items.values_list("verdict", "place")) == [("REJECTED", ""), ("ACCEPTED", "DEFECTIVE")]
    judge(second, decision="STOCK")
    judge(first, decision="TAKE_OUT")
    assert row.items.get().place == "STOCK"


def test_units_of_another_return_are_not_judged(client, job, facility):
    row, foreign = received(job), received(taken(1, facility=facility, number="1002"))

    page = client.post(
        url("judge", row),
        {"items": [foreign.items.get().pk], "decision": "REJECT", "reason": "No"},
        follow=True,
    )

    assert "changed meanwhile" in text(page)
    assert foreign.items.get().verdict == "ACCEPTED"


def test_announced_return_shows_reasons_and_arrives(client, job):
    wanted = [returns.Wanted(job.lines.first().pk, 2, ReturnReason.objects.get(key="damaged"))]
    row = returns.announce(job.pk, wanted, facility=job.facility, by=None, now=timezone.now())

    shown = client.get(url("detail", row))
    arrived = client.post(url("open", row), follow=True)

    assert "Is damaged" in text(shown)
    assert "The goods are here" in text(shown)
    assert arrived.context["row"].status == "OPEN"


def test_return_is_put_aside_and_goes_on(client, job):
    row = received(job)

    for step, status in (("pause", "PAUSED"), ("start", "IN_PROGRESS"), ("ask", "WAITING_FOR_INPUT")):
        client.post(url(step, row))
        row.refresh_from_db()
        assert row.status == status
    kept = client.post(url("cancel", row), follow=True)
    assert "Take them out first" in text(kept)
    assert "Continue the return" in text(client.get(url("detail", row)))


def test_list_has_what_is_here_first_and_filters(client, job, facility):
    here = received(job)
    other = taken(1, facility=facility, number="1002")
    wanted = [returns.Wanted(other.lines.get().pk, 1)]
    announced = returns.announce(other.pk, wanted, facility=facility, by=None, now=timezone.now())
    done = finished(taken(1, facility=facility, number="1003"))
    elsewhere = received(taken(1, number="1004"))

    def found(**query):
        return list(client.get(url("list"), query).context["page"])

    assert found() == [here, announced]
    assert found(status="FINISHED") == [done]
    assert found(q="1002") == [announced]
    assert elsewhere not in found(q="1004")


def test_list_asks_the_same_for_one_and_three(client, facility):
    received(taken(1, facility=facility))
    client.get(url("list"))
    with CaptureQueriesContext(connection) as one:
        client.get(url("list"))
    for number in ("1002", "1003"):
        received(taken(1, facility=facility, number=number))
    with CaptureQueriesContext(connection) as three:
        client.get(url("list"))

    assert len(three) == len(one)


def test_order_of_another_facility_opens_by_its_code_only(client, job):
    there = FacilityFactory(slug="there")
    client.force_login(staff("packer", there))

    address = reverse("shipping:return-job-open", args=["there", job.pk])
    by_id = [client.post(address, {"named": named}) for named in ("", job.order.recipient_name)]
    by_name = client.post(url("scan", slug="there"), {"code": job.order.recipient_name}, follow=True)
    assert [answer.status_code for answer in by_id] == [404, 404]
    assert "Nothing that was handed over" in text(by_name)
    by_number = client.post(url("scan", slug="there"), {"code": "1001"}, follow=True)

    assert by_number.context["row"].facility == there


def test_one_of_several_orders_of_other_facilities_opens_by_their_code(client, job):
    there, other = FacilityFactory(slug="there"), taken(1, facility=FacilityFactory(), number="1002")
    client.force_login(staff("packer", there))
    said = {"codes": ["BOX-7"], "by": None, "now": timezone.now()}
    for one in (job, other):
        wanted = [returns.Wanted(one.lines.first().pk, 1)]
        returns.announce(one.pk, wanted, facility=one.facility, **said)

    found = client.post(url("scan", slug="there"), {"code": "BOX-7"}, follow=True)
    arrived = press(client, found, other, slug="there")

    assert (arrived.context["row"].job, arrived.context["row"].status) == (other, "OPEN")


def test_return_that_moved_on_is_not_found_where_it_was_expected(client, job):
    row = opened(job, FacilityFactory())

    assert client.get(url("detail", row)).status_code == 404
    assert client.post(url("finish", row)).status_code == 404


def test_picker_takes_no_returns(client, job, facility):
    client.force_login(staff("picker", facility))

    assert client.get(url("list")).status_code == 403


def test_start_page_counts_returns(client, job):
    received(job)

    page = client.get(reverse("overview:facility-home", args=["here"]))

    assert (page.context["work"].returns, page.context["work"].returns_here) == (1, 1)
    assert url("list") in text(page)
