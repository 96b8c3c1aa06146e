"""A line is split: its units are picked, packed and reported missing as before, as two lines."""

import pytest
from django.utils import timezone

from fulfillment.core.models import Stock
from orders.models import ShortRecord
from packing.models import PackJob
from picking import services
from tests.apiclient import Api
from tests.factories.core import staff
from tests.factories.picking import act, code_of, pick_job, started_pick_job

pytestmark = pytest.mark.django_db


def split(job, line, quantity, picked=0, by=None):
    part = services.Split(line.pk, quantity, picked)
    return services.split(job.pk, [part], by=by, now=timezone.now())


def figures(job):
    return sorted((line.quantity, line.picked, line.short, line.status) for line in job.lines.all())


def test_parts_have_units_picked_and_places_of_their_own(facility, picker):
    job = started_pick_job(picker, 5, facility=facility, spare=2)
    line = job.lines.get()
    act(job, "quantity", by=picker, line=line.pk, quantity=3)

    split(job, line, 2, 1, by=picker)

    assert figures(job) == [(2, 1, 0, "IN_PROGRESS"), (3, 2, 0, "IN_PROGRESS")]
    assert [
        sum(one.quantity for one in part.allocations.all()) for part in job.lines.order_by("quantity")
    ] == [2, 3]


def test_split_line_is_scanned_packed_and_leaves_the_stock_like_any_other(facility, picker):
    job = started_pick_job(picker, 3, facility=facility, spare=4)
    line = job.lines.get()
    split(job, line, 1, by=picker)

    for _unit in range(3):
        last = act(job, "scan", by=picker, code=code_of(line))
    one_more = act(job, "scan", by=picker, code=code_of(line))
    services.close(job.pk, by=picker, now=timezone.now())

    assert (last.data["kind"], one_more.data["kind"]) == ("job_done", "too_many")
    assert sorted(line.quantity for line in PackJob.objects.get(pick_job=job).lines.all()) == [1, 2]
    assert Stock.objects.get(listing=line.listing).value == 4
    line.listing.refresh_from_db()
    assert line.listing.reserved == 0


def test_missing_units_of_both_parts_are_reported(facility, picker):
    job = started_pick_job(picker, 3, facility=facility)
    split(job, job.lines.get(), 1, by=picker)

    services.close(job.pk, is_rest_missing=True, by=picker, now=timezone.now())

    assert sorted(ShortRecord.objects.values_list("quantity", flat=True)) == [1, 2]


def test_closed_job_with_a_split_line_begins_anew(facility, picker):
    job = started_pick_job(picker, 3, facility=facility)
    line = job.lines.get()
    split(job, line, 1, by=picker)
    for one in job.lines.all():
        act(job, "quantity", by=picker, line=one.pk, quantity=one.quantity)
    services.close(job.pk, by=picker, now=timezone.now())

    services.reset(job.pk, by=picker, now=timezone.now())

    assert figures(job) == [(1, 0, 0, "OPEN"), (2, 0, 0, "OPEN")]
    assert Stock.objects.get(listing=line.listing).value == 3
    line.listing.refresh_from_db()
    assert line.listing.reserved == 3


@pytest.mark.parametrize(
    ("quantity", "picked"),
    [(3, 0), (1, 2), (2, 0), (1, 0)],
    ids=["nothing is left", "more picked than units", "too little is left for what is picked", "the same"],
)
def test_split_refuses_parts_that_do_not_add_up(facility, picker, quantity, picked):
    job = started_pick_job(picker, 3, facility=facility)
    line = job.lines.get()
    act(job, "quantity", by=picker, line=line.pk, quantity=3)

    with pytest.raises(services.NotToBeSplit):
        split(job, line, quantity, picked, by=picker)

    assert figures(job) == [(3, 3, 0, "CLOSED")]


def test_split_refuses_other_pickers_other_jobs_and_what_has_ended(facility, picker):
    job, elsewhere = started_pick_job(picker, 2, facility=facility), pick_job(2, facility=facility)

    with pytest.raises(services.PickedBySomeoneElse):
        split(job, job.lines.get(), 1, by=staff("picker", facility))
    with pytest.raises(services.NotOnThisJob):
        split(job, elsewhere.lines.get(), 1, by=picker)
    services.close(job.pk, is_rest_missing=True, by=picker, now=timezone.now())
    with pytest.raises(services.SplitTooLate):
        split(job, job.lines.get(), 1, by=picker)


def test_action_of_the_api_answers_with_both_lines(client):
    api, job = Api(client), pick_job(3)
    part = {"lineItemId": str(job.lines.get().pk), "picked": 0, "quantity": 1}
    body = {"name": "SPLIT_LINE_ITEMS_PICK_JOB", "version": 1, "splitLineItemsInfo": [part]}

    answer = api.post(f"/api/pickjobs/{job.pk}/actions", body)
    again = api.post(f"/api/pickjobs/{job.pk}/actions", body)

    shown = answer.json()
    assert sorted(line["quantity"] for line in shown["pickLineItems"]) == [1, 2]
    assert len({line["globalLineItemId"] for line in shown["pickLineItems"]}) == 1
    assert (shown["version"], again.status_code) == (2, 409)
