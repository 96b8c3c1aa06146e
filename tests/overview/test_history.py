import datetime
import re

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext, ngettext

from fulfillment.core.models import StatusChange
from fulfillment.core.templatetags.ui import status_name
from fulfillment.overview import queries, reasons
from picking import services as picking
from shipping.models import ReturnCondition
from tests.factories.core import FacilityFactory, staff
from tests.factories.picking import book, started_pick_job
from tests.factories.returns import finished, taken

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)


def change(entity="shipping.Parcel", action="begin", before="OPEN", after="PROCESSING", seconds=0, **fields):
    at = NOON + datetime.timedelta(seconds=seconds)
    return StatusChange(entity=entity, action=action, before=before, after=after, at=at, **fields)


def test_same_step_of_several_things_is_one_entry():
    changes = [
        *(change(seconds=second) for second in (1, 2, 3)),
        change(after="DONE", seconds=4),
        change(after="DONE", seconds=5, reason="by hand"),
        change(after="DONE", seconds=70, reason="by hand"),
    ]

    found = queries.folded(changes)

    assert [(entry.after, entry.reason, entry.times) for entry in found] == [
        ("PROCESSING", "", 3),
        ("DONE", "", 1),
        ("DONE", "by hand", 1),
        ("DONE", "by hand", 1),
    ]


def test_step_that_leaves_the_status_says_what_was_done():
    assigned = change("picking.PickJob", "assign", "OPEN", "OPEN")
    other = change("picking.PickJob", "odd", "OPEN", "OPEN")
    begun = change("picking.PickJob", "start", "OPEN", "IN_PROGRESS")

    assert [status_name(step) for step in (assigned, other, begun)] == ["Assigned", "Changed", "In progress"]


@pytest.mark.django_db
@pytest.mark.parametrize("written_in", ["en", "de"])
@pytest.mark.parametrize(
    ("read_in", "expected"),
    [
        (
            "de",
            [
                "1 × {title}: Beschädigt",
                "Angenommen: 1",
                "Erstattung angefordert: Erstattung eines Betrags, der hier nicht bekannt ist.",
                "Der Kunde hat es zurückgegeben.",
            ],
        ),
        (
            "en",
            [
                "1 × {title}: Damaged",
                "Accepted: 1",
                "Refund asked for: Refund of an amount that is not known here.",
                "The customer returned it.",
            ],
        ),
    ],
)
def test_return_is_told_in_the_language_of_who_reads(written_in, read_in, expected):
    with translation.override(written_in):
        job = taken(1, price="0")
        for line in job.order.lines.all():
            line.wire = {}
            line.save(update_fields=["wire"])
        finished(job, key="damaged")

    with translation.override(read_in):
        changes = queries.history(job.order)
        found = [one.reason for one in changes] + [f"{status_name(one)}: {one.reason}" for one in changes]

    title = job.lines.first().title
    assert [words for words in expected if words.format(title=title) not in found] == []


@pytest.mark.django_db
@pytest.mark.parametrize("written_in", ["en", "de"])
@pytest.mark.parametrize(("read_in", "expected"), [("en", "Not found"), ("de", "Nicht gefunden")])
def test_missing_units_are_told_in_the_language_of_who_reads(written_in, read_in, expected):
    facility = FacilityFactory()
    picker = staff("picker", facility)
    job = started_pick_job(picker, 2, facility=facility)
    book(job, 1, by=picker)
    with translation.override(written_in):
        picking.close(job.pk, by=picker, now=NOON)

    with translation.override(read_in):
        [told] = [one for one in queries.history(job.order) if one.action == "report_missing"]

    assert told.reason == f"1 × {job.lines.get().title}: {expected}"


@pytest.mark.django_db
def test_amounts_and_comments_of_a_return_stay_as_they_are():
    with translation.override("en"):
        job = taken(2)
        finished(job)

    with translation.override("de"):
        found = [change.reason for change in queries.history(job.order)]

    assert "Erstattung: 19.90 EUR." in found


@pytest.mark.parametrize("written_in", ["en", "de"])
@pytest.mark.parametrize(
    ("write", "english", "german"),
    [
        (
            lambda: gettext("%(picker)s may not pick here any more") % {"picker": "A. (B)"},
            "A. (B) may not pick here any more",
            "A. (B) darf hier nicht mehr picken",
        ),
        (
            lambda: gettext("%(packer)s may not pack here any more") % {"packer": "Jo"},
            "Jo may not pack here any more",
            "Jo darf hier nicht mehr packen",
        ),
        (
            lambda: _minutes(1),
            "Nobody worked on it for 1 minute",
            "Seit 1 Minute arbeitet niemand daran",
        ),
        (
            lambda: _minutes(120),
            "Nobody worked on it for 120 minutes",
            "Seit 120 Minuten arbeitet niemand daran",
        ),
        (lambda: gettext("Refund: %(amounts)s.") % {"amounts": "1 €"}, "Refund: 1 €.", "Erstattung: 1 €."),
        (lambda: f"{_units(1)}. Torn, Held", "1 unit. Torn, Held", "1 Stück. Torn, Held"),
        (lambda: _units(12), "12 units", "12 Stück"),
        (
            lambda: gettext("The label was cancelled."),
            "The label was cancelled.",
            "Das Etikett wurde storniert.",
        ),
        (lambda: "Held, said Jo", "Held, said Jo", "Held, said Jo"),
    ],
)
def test_reason_is_told_in_the_language_of_who_reads(written_in, write, english, german):
    with translation.override(written_in):
        kept = write()

    def told(language):
        row = change(reason=kept)
        with translation.override(language):
            reasons.in_words([row], [])
        return row.reason

    assert (told("en"), told("de")) == (english, german)


def _minutes(number):
    return ngettext(
        "Nobody worked on it for %(minutes)s minute", "Nobody worked on it for %(minutes)s minutes", number
    ) % {"minutes": number}


def _units(number):
    return ngettext("%(units)s unit", "%(units)s units", number) % {"units": number}


@pytest.mark.django_db
def test_receipt_is_told_when_no_condition_is_known():
    row = change("shipping.itemreturn", "receive", reason="1 × Mug: ")
    ReturnCondition.objects.all().delete()

    reasons.in_words([row], [])

    assert row.reason == "1 × Mug: "


def test_sentences_that_steps_write_into_the_history_are_known():
    """A step that keeps a sentence is read by people of other languages, too."""
    kept = re.compile(r'\breason ?= ?(?:str\()?(?:gettext|ngettext|_)\(\s*"([^"]+)"')
    code = [
        path.read_text()
        for app in ("orders", "routing", "picking", "packing", "shipping")
        for path in (settings.BASE_DIR / app).rglob("*.py")
    ]
    found = {sentence for text in code for sentence in kept.findall(text)}

    known = {template for forms in reasons.TEMPLATES for template in forms} | set(reasons._known())
    assert len(found) > 8
    # Of the ledger of the stock, which is no history of an order.
    assert found - known == {"Counted when units were missing", "Picked more than was booked"}


def test_how_often_a_step_happened_is_as_large_as_the_step():
    changes = queries.folded([change(entity="shipping.parcel", seconds=second) for second in (1, 2)])

    page = render_to_string("partials/timeline.html", {"changes": changes})

    assert "× 2" in page
    assert "units" not in page
