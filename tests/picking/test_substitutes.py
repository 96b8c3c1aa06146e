"""Another article instead of one that is not there: offered by priority, picked as a line of its own, never short."""

import uuid

import pytest
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.models import Stock, Substitute
from orders.models import ShortRecord
from packing.models import PackJob
from picking import queries, scans, services
from picking.models import PickJob
from picking.substitutes import choices_for
from picking.wire import represent
from tests.factories.core import ArticleFactory, FacilityFactory, StorageLocationFactory, put_stock
from tests.factories.picking import act, code_of, ean, started_pick_job

pytestmark = pytest.mark.django_db


def offer(line, facility, *, units=5, priority=1, everywhere=True, title="Blue mug"):
    """A substitute of a line's article with stock at the facility."""
    article = ArticleFactory(title=title, code=ean())
    put_stock(facility, article, units, location=StorageLocationFactory(facility=facility))
    Substitute.objects.create(
        article=line.article, substitute=article, priority=priority, facility=None if everywhere else facility
    )
    return article


@pytest.fixture
def job(facility, picker):
    """Three units of one article, in progress."""
    return started_pick_job(picker, 3, facility=facility)


@pytest.fixture
def line(job):
    return job.lines.get()


def close(job, by):
    return services.close(job.pk, by=by, now=timezone.now())


def value_of(article):
    return Stock.objects.get(listing__article=article).value


def test_choices_are_those_the_facility_has_by_priority(facility, job, line):
    second = offer(line, facility, priority=2, title="Red mug")
    first = offer(line, facility, priority=1, everywhere=False)
    offer(line, FacilityFactory(), title="Elsewhere")
    put_elsewhere = ArticleFactory()
    Substitute.objects.create(article=line.article, substitute=put_elsewhere)

    choices = choices_for([line], facility, timezone.localdate())[line.article_id]

    assert [choice.article for choice in choices] == [first, second]
    assert [choice.free for choice in choices] == [5, 5]


def test_choices_leave_out_what_other_jobs_will_take(facility, picker, job, line):
    article = offer(line, facility, units=2)
    other = started_pick_job(picker, 1, facility=facility)
    Substitute.objects.create(article=other.lines.get().article, substitute=article)
    act(other, "substitute", by=picker, line=other.lines.get().pk, code=article.sku)

    (choice,) = choices_for([line], facility, timezone.localdate())[line.article_id]

    assert choice.free == 1


def test_substitute_is_picked_packed_and_nothing_is_short(facility, picker, job, line):
    article = offer(line, facility)
    act(job, "scan", by=picker, code=code_of(line))

    taken = act(job, "substitute", by=picker, line=line.pk, code=article.sku)
    other = job.lines.get(article=article)
    wrong = act(job, "scan", by=picker, code=code_of(line))
    for _unit in range(2):
        last = act(job, "scan", by=picker, code=code_of(other))
    close(job, picker)

    assert (taken.status_code, taken.data["kind"]) == (scans.BOOKED, "substituted")
    assert wrong.data["kind"] == "too_many"
    assert last.data["kind"] == "job_done"
    job.refresh_from_db()
    assert (job.status, job.sub_status) == (PickJob.Status.CLOSED, "")
    assert not ShortRecord.objects.exists()
    assert (value_of(line.article), value_of(article)) == (2, 3)
    packed = PackJob.objects.get(pick_job=job).lines.order_by("quantity")
    assert [(one.article, one.sku, one.title, one.quantity) for one in packed] == [
        (line.article, line.order_line.sku, line.title, 1),
        (article, article.sku, "Blue mug", 2),
    ]
    line.listing.refresh_from_db()
    assert line.listing.reserved == 0


def test_substitute_that_is_not_found_either_is_short(facility, picker, job, line):
    article = offer(line, facility)
    act(job, "quantity", by=picker, line=line.pk, quantity=2)
    act(job, "substitute", by=picker, line=line.pk, code=article.sku)
    act(job, "short", by=picker, line=job.lines.get(article=article).pk, reason="NOT_FOUND")

    close(job, picker)

    assert ShortRecord.objects.get().quantity == 1


def test_substitution_is_taken_back(facility, picker, job, line):
    article = offer(line, facility)
    act(job, "substitute", by=picker, line=line.pk, code=article.sku)
    act(job, "scan", by=picker, code=code_of(job.lines.get(article=article)))

    answers = [act(job, "undo", by=picker) for _time in range(2)]

    assert [answer.data["kind"] for answer in answers] == ["ok", "substituted"]
    assert [(one.quantity, one.picked) for one in job.lines.order_by("article__pk")] == [(3, 0), (0, 0)]
    assert act(job, "undo", by=picker).status_code == scans.REFUSED
    act(job, "quantity", by=picker, line=line.pk, quantity=3)
    assert close(job, picker).status == PickJob.Status.CLOSED
    assert value_of(article) == 5


def test_same_substitute_twice_is_one_line(facility, picker, job, line):
    article = offer(line, facility)
    for _time in range(2):
        act(job, "substitute", by=picker, line=line.pk, code=article.sku, quantity=1)

    other = job.lines.get(article=article)

    assert other.quantity == 2
    assert sum(allocation.quantity for allocation in other.allocations.all()) == 2


@pytest.mark.parametrize(
    ("sku", "quantity", "kind"), [("NOBODY", 1, "unknown"), ("", 3, "too_many"), ("", 4, "too_many")]
)
def test_refused_substitution_changes_nothing(facility, picker, job, line, sku, quantity, kind):
    article = offer(line, facility, units=2)

    answer = act(job, "substitute", by=picker, line=line.pk, code=sku or article.sku, quantity=quantity)

    assert (answer.status_code, answer.data["kind"]) == (scans.REFUSED, kind)
    assert [one.quantity for one in job.lines.all()] == [3]


def test_reset_begins_with_the_own_article(facility, picker, job, line):
    article = offer(line, facility)
    act(job, "substitute", by=picker, line=line.pk, code=article.sku)
    act(job, "quantity", by=picker, line=job.lines.get(article=article).pk, quantity=3)
    close(job, picker)

    services.reset(job.pk, by=picker, now=timezone.now())

    assert [(one.quantity, one.picked) for one in job.lines.order_by("article__pk")] == [(3, 0), (0, 0)]
    assert value_of(article) == 5
    line.listing.refresh_from_db()
    assert line.listing.reserved == 3


def test_plain_form_offers_and_takes_the_substitute(client, facility, picker, job, line):
    article = offer(line, facility)
    client.force_login(picker)
    page = reverse("picking:job-detail", args=[facility.slug, job.pk])

    assert f'value="{article.sku}"' in client.get(page).content.decode()
    client.post(
        reverse("picking:job-act", args=[facility.slug, job.pk]),
        {"id": str(uuid.uuid4()), "kind": "substitute", "line": str(line.pk), "code": article.sku},
    )

    body = client.get(page).content.decode()
    assert "Blue mug" in body
    assert f"instead of {line.title}" in body


def test_api_shows_what_was_taken_instead(facility, picker, job, line):
    article = offer(line, facility)
    act(job, "quantity", by=picker, line=line.pk, quantity=1)
    act(job, "substitute", by=picker, line=line.pk, code=article.sku)
    act(job, "quantity", by=picker, line=job.lines.get(article=article).pk, quantity=2)

    (item,) = represent(PickJob.objects.for_api().get(pk=job.pk))["pickLineItems"]

    assert (item["article"]["tenantArticleId"], item["quantity"], item["picked"]) == (
        line.order_line.sku,
        3,
        1,
    )
    assert item["substituteLineItems"] == [
        {
            "id": str(job.lines.get(article=article).pk),
            "article": {"tenantArticleId": article.sku, "title": "Blue mug"},
            "quantity": 2,
            "picked": 2,
        }
    ]


def test_screen_can_take_back_what_came_after_a_substitution_and_then_that(facility, picker, job, line):
    article = offer(line, facility)
    act(job, "scan", by=picker, code=code_of(line))
    act(job, "substitute", by=picker, line=line.pk, code=article.sku)
    other = job.lines.get(article=article)
    act(job, "scan", by=picker, code=code_of(other))

    history = queries.history_of(job)

    assert history == [[str(line.pk), 1, 0, 0], [str(other.pk), 0, 0, 2], [str(other.pk), 1, 0, 0]]
