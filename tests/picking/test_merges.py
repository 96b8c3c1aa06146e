"""Parts of a line are put together again, with their places and with what was booked."""

import importlib

import pytest
from django.apps import apps
from django.utils import timezone

from fulfillment.core.models import Stock, Substitute
from packing.models import PackLine
from picking import services
from tests.apiclient import Api
from tests.factories.core import ArticleFactory, StorageLocationFactory, put_stock, staff
from tests.factories.orders import OrderFactory
from tests.factories.picking import act, code_of, ean, pick_job, route, started_pick_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(facility, picker):
    """Five units of one line, in parts of three and two."""
    job = started_pick_job(picker, 5, facility=facility, spare=2)
    services.split(job.pk, [services.Split(job.lines.get().pk, 2)], by=picker, now=timezone.now())
    return job


def merge(job, by, lines=None):
    ids = [line.pk for line in lines or job.lines.all()]
    return services.merge(job.pk, ids, by=by, now=timezone.now())


def test_parts_become_one_line_with_all_units_places_and_undo(job, picker):
    first, second = job.lines.order_by("-quantity")
    for line in (first, second):
        act(job, "quantity", by=picker, line=line.pk, quantity=1)
    before = services.split(job.pk, [services.Split(second.pk, 1)], by=picker, now=timezone.now()).version

    merged = merge(job, picker)

    line = job.lines.get()
    assert (line.pk, line.quantity, line.picked, line.status) == (first.pk, 5, 2, "IN_PROGRESS")
    assert [one.quantity for one in line.allocations.all()] == [5]
    assert (line.split_from, merged.version) == (None, before + 1)
    assert act(job, "undo", by=picker).status_code == 200
    assert job.lines.get().picked == 1


def test_merged_line_is_picked_and_leaves_the_stock_like_any_other(job, picker):
    merge(job, picker)
    line = job.lines.get()

    for _unit in range(5):
        last = act(job, "scan", by=picker, code=code_of(line))
    one_more = act(job, "scan", by=picker, code=code_of(line))
    services.close(job.pk, by=picker, now=timezone.now())

    assert (last.data["kind"], one_more.data["kind"]) == ("job_done", "too_many")
    assert Stock.objects.get(listing=line.listing).value == 2


@pytest.mark.parametrize("reopen", [services.reset, services.restart])
def test_parts_are_merged_when_the_job_was_closed_and_its_pack_job_opened(job, picker, reopen):
    for line in job.lines.all():
        act(job, "quantity", by=picker, line=line.pk, quantity=line.quantity)
    services.close(job.pk, by=picker, now=timezone.now())
    reopen(job.pk, by=picker, now=timezone.now())

    merge(job, picker)

    assert job.lines.get().quantity == 5
    assert PackLine.objects.count() == 0


def test_lines_that_an_obsolete_pack_job_kept_are_let_go_of(job, picker):
    for line in job.lines.all():
        act(job, "quantity", by=picker, line=line.pk, quantity=line.quantity)
    services.close(job.pk, by=picker, now=timezone.now())
    kept = list(PackLine.objects.all())
    services.restart(job.pk, by=picker, now=timezone.now())
    PackLine.objects.bulk_create(kept)  # as it was once
    migration = importlib.import_module("packing.migrations.0007_forget_obsolete_lines")

    migration.forget_lines(apps, None)

    merge(job, picker)
    assert job.lines.get().quantity == 5


def test_what_is_missing_of_a_part_is_missing_of_the_whole(job, picker):
    second = job.lines.order_by("quantity")[0]
    act(job, "short", by=picker, line=second.pk, reason="DAMAGED")

    merge(job, picker)

    line = job.lines.get()
    assert (line.short, line.short_reason, line.status) == (2, "DAMAGED", "IN_PROGRESS")


def test_parts_that_were_picked_against_the_order_of_their_places_stay_apart(facility, picker):
    article = ArticleFactory(code=ean())
    for units in (2, 3):
        put_stock(facility, article, units, location=StorageLocationFactory(facility=facility))
    job = route(OrderFactory((article, 5), preselected=[facility]))
    services.start(job.pk, by=picker, now=timezone.now())
    services.split(job.pk, [services.Split(job.lines.get().pk, 3)], by=picker, now=timezone.now())
    first, second = job.lines.order_by("quantity")
    act(job, "quantity", by=picker, line=second.pk, quantity=1)

    with pytest.raises(services.NotToBeMerged):
        merge(job, picker)
    act(job, "quantity", by=picker, line=first.pk, quantity=2)
    merge(job, picker)

    line = job.lines.get()
    assert (line.picked, [one.quantity for one in line.allocations.all()]) == (3, [2, 3])


def test_only_parts_of_one_line_are_merged(facility, picker, job):
    other = started_pick_job(picker, 2, 1, facility=facility)
    [line, *_rest] = job.lines.all()

    for lines in ([line], other.lines.all()):
        with pytest.raises(services.NotToBeMerged):
            merge(lines[0].job, picker, lines)
    with pytest.raises(services.NotOnThisJob):
        merge(job, picker, [line, other.lines.all()[0]])
    with pytest.raises(services.PickedBySomeoneElse):
        merge(job, staff("picker", facility))
    assert job.lines.count() == 2


def test_line_of_which_units_were_taken_as_another_article_stays(facility, picker, job):
    line = job.lines.all()[0]
    green = ArticleFactory(code=ean())
    put_stock(facility, green, 9, location=StorageLocationFactory(facility=facility))
    Substitute.objects.create(article=line.article, substitute=green)
    act(job, "substitute", by=picker, line=line.pk, code=green.sku, quantity=1)

    with pytest.raises(services.NotToBeMerged):
        merge(job, picker, job.lines.filter(replaces=None))
    with pytest.raises(services.NotToBeMerged):
        merge(job, picker)


def test_action_of_the_api_answers_with_the_one_line(client):
    api, job = Api(client), pick_job(3)
    line = job.lines.get()
    services.split(job.pk, [services.Split(line.pk, 1)], by=None, now=timezone.now())
    ids = [str(pk) for pk in job.lines.values_list("pk", flat=True)]
    body = {"name": "MERGE_LINE_ITEMS_PICK_JOB", "version": 2, "lineItemIds": ids}

    unknown = api.post(f"/api/pickjobs/{job.pk}/actions", {**body, "lineItemIds": ["x"]})
    answer = api.post(f"/api/pickjobs/{job.pk}/actions", body)
    again = api.post(f"/api/pickjobs/{job.pk}/actions", body)

    [shown] = answer.json()["pickLineItems"]
    assert (shown["id"], shown["quantity"], answer.json()["version"]) == (str(line.pk), 3, 3)
    assert (unknown.status_code, again.status_code) == (422, 409)
