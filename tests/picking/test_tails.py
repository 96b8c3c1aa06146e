"""What the screen shows of an article: its title, and the end of its code, which a person may type."""

import uuid

import pytest
from django.utils import timezone
from django.utils.translation import override

from fulfillment.core.models import ArticleCode
from picking import load_units, queries, run_scans, scans
from picking.models import ScanEvent
from tests.factories.core import ArticleFactory
from tests.factories.picking import act, code_of, started_pick_job
from tests.factories.runs import job_of, run_of, shelf

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(facility, picker):
    return started_pick_job(picker, 2, 1, facility=facility)


@pytest.fixture
def line(job):
    return job.lines.all()[0]


def typed(job, code, by, **fields):
    answer = act(job, "scan", by=by, code=code, is_typed=True, **fields)
    return answer.status_code, answer.data["kind"]


def test_end_of_the_articles_code_books_it_when_it_is_typed(job, line, picker):
    assert typed(job, code_of(line)[-4:], picker) == (200, "ok")

    line.refresh_from_db()
    assert line.picked == 1
    assert ScanEvent.objects.get().code == code_of(line)[-4:]


def test_end_of_a_code_is_unknown_when_a_scanner_sent_it(job, line, picker):
    answer = act(job, "scan", by=picker, code=code_of(line)[-4:])

    assert (answer.status_code, answer.data["kind"]) == (422, "unknown")


def test_three_characters_are_too_few(job, line, picker):
    assert typed(job, code_of(line)[-3:], picker) == (422, "unknown")


def test_end_of_the_places_name_or_code_opens_it(job, line, picker):
    [place] = queries.places_of(line)

    assert typed(job, place.codes[0][-5:].lower(), picker) == (200, "place")


def test_end_of_a_line_that_is_not_expected_now_is_unknown(job, picker):
    assert typed(job, code_of(job.lines.all()[1])[-5:], picker) == (422, "unknown")


def test_end_that_two_expected_things_have_is_unknown(job, line, picker):
    [place] = queries.places_of(line)
    ArticleCode.objects.create(article=line.article, code=f"X{place.codes[0][-8:]}")

    assert typed(job, place.codes[0][-7:], picker) == (422, "unknown")


def test_whole_code_goes_before_the_end_of_another(job, line, picker):
    ArticleFactory(code=code_of(line)[-4:])

    assert typed(job, code_of(line)[-4:], picker) == (422, "wrong_article")


def test_end_of_the_jobs_tote_is_right(job, picker, facility):
    unit, other = load_units.create(facility, number=2, by=None, now=timezone.now())
    act(job, "scan", by=picker, code=unit.code)

    assert typed(job, unit.code[-5:], picker) == (200, "place")
    assert typed(job, other.code[-5:], picker) == (422, "unknown")


def test_end_of_a_runs_tote_is_checked(facility, picker):
    job = job_of(facility, (shelf(facility, "Mug", aisle=1, bay=1), 2))
    run = run_of(job, by=picker)
    [unit] = load_units.create(facility, by=None, now=timezone.now())
    load_units.assign(unit.pk, job.pk, by=picker, now=timezone.now())
    action = scans.Action(
        id=uuid.uuid4(), kind="scan", job=run.pk, code=unit.code[-6:].lower(), is_typed=True
    )

    answer = run_scans.act(action, facility=facility, by=picker, now=timezone.now())

    assert (answer.status_code, answer.data["kind"]) == (200, "place")


def test_title_is_that_of_the_article_in_the_readers_language_above_that_of_the_shop(job, line):
    line.article.titles = {"de": "Steingutbecher", "en": ""}

    with override("de"):
        assert (line.shown_title, line.shop_title) == ("Steingutbecher", line.title)
    with override("en"):
        assert (line.shown_title, line.shop_title) == (line.article.title, "")


def test_answers_name_the_article_in_the_readers_language(job, line, picker):
    line.article.titles = {"de": "Steingutbecher"}
    line.article.save(update_fields=["titles"])

    with override("de"):
        for _unit in range(2):
            answer = act(job, "scan", by=picker, code=code_of(line))

    assert answer.data["text"] == "Steingutbecher ist erledigt."
