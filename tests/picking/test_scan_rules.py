"""What must be scanned, and what is recorded of the units, by facility and article."""

import datetime
import json
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.codes import ALPHABET, check_character
from fulfillment.core.models import ArticleCode, Permission, Role
from picking import commands, queries, services
from picking.scan_checks import may_override
from tests.factories.core import ArticleFactory, StorageLocationFactory, put_stock, staff
from tests.factories.orders import OrderFactory
from tests.factories.picking import act, code_of, ean, route, started_pick_job

pytestmark = pytest.mark.django_db


def set_rules(facility, **rules):
    for name, value in rules.items():
        setattr(facility, name, value)
    facility.save(update_fields=list(rules))


@pytest.fixture
def job(facility, picker):
    return started_pick_job(picker, 2, 1, facility=facility)


@pytest.fixture
def line(job):
    return job.lines.all()[0]


def told(answer):
    return answer.status_code, answer.data["kind"]


def picked(job):
    return list(job.lines.values_list("picked", flat=True))


# Articles


def test_units_are_entered_only_after_the_first_scan(facility, picker, job, line):
    set_rules(facility, article_scan="MUST_SCAN_FIRST")

    early = act(job, "quantity", by=picker, line=line.pk, quantity=1)
    act(job, "scan", by=picker, code=code_of(line))
    later = act(job, "quantity", by=picker, line=line.pk, quantity=1)

    assert told(early) == (422, "unknown")
    assert line.title in early.data["text"]
    assert told(later) == (200, "line_done")


def test_scan_that_was_taken_back_unlocks_nothing(facility, picker, job, line):
    set_rules(facility, article_scan="MUST_SCAN_FIRST")
    act(job, "scan", by=picker, code=code_of(line))
    act(job, "undo", by=picker)

    assert act(job, "quantity", by=picker, line=line.pk, quantity=1).status_code == 422


def test_every_unit_is_scanned_but_a_supervisor_may_enter_them(facility, picker, job, line):
    set_rules(facility, article_scan="MUST_SCAN_EACH")
    act(job, "scan", by=picker, code=code_of(line))

    refused = act(job, "quantity", by=picker, line=line.pk, quantity=1)

    assert told(refused) == (422, "unknown")
    assert picked(job) == [1, 0]
    role = Role.objects.create(name="Lead", permissions=[Permission.PICK, Permission.SUPERVISE])
    picker.memberships.create(role=role, facility=facility)
    del picker.granted
    assert act(job, "quantity", by=picker, line=line.pk, quantity=1).status_code == 200


def test_unknown_code_counts_for_the_current_line_where_the_facility_says_so(facility, picker, job):
    set_rules(facility, counts_unknown_codes=True)

    assert told(act(job, "scan", by=picker, code="NOBODY-KNOWS")) == (200, "ok")

    assert picked(job) == [1, 0]


# Places


@pytest.mark.parametrize(
    ("rule", "later"), [("MUST_SCAN_FIRST", (200, "line_done")), ("MUST_SCAN_EACH", (422, "wrong_location"))]
)
def test_place_is_scanned_before_the_article(facility, picker, job, line, rule, later):
    set_rules(facility, location_scan=rule)
    place = queries.places_of(line)[0]

    early = act(job, "scan", by=picker, code=code_of(line))
    opened = act(job, "scan", by=picker, code=place.codes[0])
    first = act(job, "scan", by=picker, code=code_of(line))
    second = act(job, "scan", by=picker, code=code_of(line))

    assert told(early) == (422, "wrong_location")
    assert place.name in early.data["text"]
    assert told(opened) == (200, "place")
    assert told(first) == (200, "ok")
    assert told(second) == later


def test_next_place_of_a_line_is_scanned_too(facility, picker):
    set_rules(facility, location_scan="MUST_SCAN_FIRST")
    article = ArticleFactory(code=ean())
    for _number in range(2):
        put_stock(facility, article, 1, location=StorageLocationFactory(facility=facility))
    job = route(OrderFactory((article, 2), preselected=[facility]))
    services.start(job.pk, by=picker, now=timezone.now())
    line = job.lines.get()
    first, second = queries.places_of(line)
    act(job, "scan", by=picker, code=first.codes[0])
    act(job, "scan", by=picker, code=code_of(line))

    early = act(job, "scan", by=picker, code=code_of(line))
    act(job, "scan", by=picker, code=second.codes[0])

    assert told(early) == (422, "wrong_location")
    assert second.name in early.data["text"]
    assert told(act(job, "scan", by=picker, code=code_of(line))) == (200, "job_done")


def test_units_are_entered_after_the_place_was_scanned(facility, picker, job, line):
    set_rules(facility, location_scan="MUST_SCAN_FIRST")

    early = act(job, "quantity", by=picker, line=line.pk, quantity=1)
    act(job, "scan", by=picker, code=queries.places_of(line)[0].codes[0])

    assert told(early) == (422, "wrong_location")
    assert act(job, "quantity", by=picker, line=line.pk, quantity=1).status_code == 200


# What is recorded


@pytest.fixture
def recording(facility, picker):
    """A job for three units of an article of which lot and expiry are recorded."""
    job = started_pick_job(picker, 3, facility=facility)
    article = job.lines.get().article
    article.records_lot = article.records_expiry = True
    article.save()
    return job


def test_lot_and_expiry_come_out_of_the_gs1_code(picker, recording):
    line = recording.lines.get()

    plain = act(recording, "scan", by=picker, code=code_of(line))
    full = act(recording, "scan", by=picker, code=f"]C1010{code_of(line)}17271231|10LOT7")

    assert told(plain) == (422, "unknown")
    assert "lot, expiry date" in plain.data["text"]
    assert told(full) == (200, "ok")
    event = queries.recorded(line.order_line).get()
    assert (event.lot, event.expires_on) == ("LOT7", datetime.date(2027, 12, 31))


def test_they_can_be_typed_with_the_units(picker, recording):
    line = recording.lines.get()
    day = datetime.date(2027, 1, 31)

    answer = act(recording, "quantity", by=picker, line=line.pk, quantity=3, lot="L1", expires_on=day)

    assert told(answer) == (200, "job_done")
    event = queries.recorded(line.order_line).get()
    assert (event.picked_delta, event.lot, event.expires_on) == (3, "L1", day)


def test_what_is_taken_back_is_not_recorded(picker, recording):
    line = recording.lines.get()
    act(
        recording,
        "quantity",
        by=picker,
        line=line.pk,
        quantity=1,
        lot="L1",
        expires_on=datetime.date(2027, 1, 31),
    )

    act(recording, "undo", by=picker)

    assert not queries.recorded(line.order_line).exists()


def test_serial_number_is_one_unit_and_only_once(facility, picker):
    job = started_pick_job(picker, 3, facility=facility)
    line = job.lines.get()
    line.article.records_serial = True
    line.article.save()
    code = f"010{code_of(line)}21A-1"

    first = act(job, "scan", by=picker, code=code)
    again = act(job, "scan", by=picker, code=code)
    several = act(job, "quantity", by=picker, line=line.pk, quantity=2, serial="A-2")

    assert told(first) == (200, "ok")
    assert told(again) == (422, "too_many")
    assert told(several) == (422, "too_many")
    assert picked(job) == [1]


# What it costs


@pytest.mark.parametrize("lines", [2, 6])
def test_scan_takes_at_most_ten_queries_whatever_the_size(client, facility, picker, lines):
    job = started_pick_job(picker, *[2] * lines, facility=facility)
    body = {"id": str(uuid.uuid4()), "job": str(job.pk), "kind": "scan", "code": code_of(job.lines.all()[0])}
    client.force_login(picker)

    with CaptureQueriesContext(connection) as made:
        answer = client.post(
            reverse("picking:scan", args=[facility.slug]), json.dumps(body), "application/json"
        )

    frame = ("BEGIN", "SAVEPOINT", "RELEASE", "COMMIT")
    statements = [query["sql"] for query in made if not query["sql"].startswith(frame)]
    assert answer.status_code == 200
    assert len(statements) <= 10, "\n".join(statements)


def test_supervisor_alone_may_override(facility):
    assert not may_override(staff("picker", facility), facility)
    assert may_override(staff("supervisor", facility), facility)


# Weighed goods


@pytest.fixture
def weighing(facility, picker):
    """A job for three pieces of about 500 g, give or take a tenth."""
    job = started_pick_job(picker, 3, facility=facility)
    article = job.lines.get().article
    article.is_weighed, article.weight_g = True, 500
    article.save()
    return job


@pytest.mark.parametrize(("grams", "status"), [(449, 422), (450, 200), (550, 200), (551, 422)])
def test_weight_is_within_the_tolerance(picker, weighing, grams, status):
    line = weighing.lines.get()

    answer = act(weighing, "quantity", by=picker, line=line.pk, quantity=1, weight=grams)

    assert answer.status_code == status
    assert picked(weighing) == [int(status == 200)]


def test_weight_comes_out_of_a_gs1_code_or_the_label_of_a_scale(picker, weighing):
    line = weighing.lines.get()
    ArticleCode.objects.create(article=line.article, code="2812345000004")

    plain = act(weighing, "scan", by=picker, code=code_of_first(line))
    gs1 = act(weighing, "scan", by=picker, code=f"010{code_of_first(line)}3103000498")
    label = act(weighing, "scan", by=picker, code="2812345005120")

    assert [told(plain), told(gs1), told(label)] == [(422, "unknown"), (200, "ok"), (200, "ok")]
    assert "weight" in plain.data["text"]
    weights = queries.recorded(line.order_line).values_list("weight_g", flat=True)
    assert sorted(weights) == [498, 512]


def code_of_first(line):
    return line.article.codes.exclude(code__startswith="2").get().code


def test_label_of_a_scale_is_nothing_for_goods_that_are_not_weighed(picker, job, line):
    ArticleCode.objects.create(article=line.article, code="2812345000004")

    assert told(act(job, "scan", by=picker, code="2812345005120")) == (422, "unknown")


# Missing units


def test_reason_is_one_that_the_facility_wants(facility, picker, job, line):
    set_rules(facility, short_reasons=["DAMAGED"])

    other = act(job, "short", by=picker, line=line.pk, reason="NOT_FOUND")
    wanted = act(job, "short", by=picker, line=line.pk, reason="DAMAGED")

    assert (other.status_code, wanted.status_code) == (422, 200)


def test_nobody_is_asked_for_a_reason_where_there_is_none_to_choose(facility, picker, job, line):
    set_rules(facility, short_reasons=[])

    assert act(job, "short", by=picker, line=line.pk).status_code == 200

    line.refresh_from_db()
    assert (line.short, line.short_reason) == (2, "OTHER")


@pytest.mark.parametrize(("counts", "left"), [(True, 1), (False, 5)])
def test_count_of_the_place_becomes_its_stock_where_pickers_may_count(facility, picker, counts, left):
    set_rules(facility, counts_on_short_pick=counts)
    job = started_pick_job(picker, 3, 1, facility=facility, spare=4)
    colleagues = started_pick_job(staff("picker", facility), 1, facility=facility)
    line, other = job.lines.all()
    act(job, "quantity", by=picker, line=line.pk, quantity=2)
    act(job, "short", by=picker, line=line.pk, reason="NOT_FOUND", left=1)
    act(job, "quantity", by=picker, line=other.pk, quantity=1)

    services.close(job.pk, by=picker, now=timezone.now())

    assert line.allocations.get().stock.value == left
    assert colleagues.lines.get().allocations.get().stock.value == 1


def test_count_that_is_taken_back_changes_no_stock(facility, picker):
    set_rules(facility, counts_on_short_pick=True)
    job = started_pick_job(picker, 2, facility=facility, spare=4)
    line = job.lines.get()
    act(job, "short", by=picker, line=line.pk, reason="NOT_FOUND", left=0)
    act(job, "undo", by=picker)
    act(job, "quantity", by=picker, line=line.pk, quantity=2)

    services.close(job.pk, by=picker, now=timezone.now())

    assert line.allocations.get().stock.value == 4


def test_count_leaves_out_what_is_in_the_baskets_of_colleagues(facility, picker, colleague):
    set_rules(facility, counts_on_short_pick=True)
    article = ArticleFactory(code=ean())
    stock = put_stock(facility, article, 9, location=StorageLocationFactory(facility=facility))
    mine, theirs = (
        services.start(
            route(OrderFactory((article, 2), preselected=[facility])).pk, by=user, now=timezone.now()
        )
        for user in (picker, colleague)
    )
    act(theirs, "quantity", by=colleague, line=theirs.lines.get().pk, quantity=2)
    act(mine, "quantity", by=picker, line=mine.lines.get().pk, quantity=1)
    act(mine, "short", by=picker, line=mine.lines.get().pk, reason="DAMAGED", left=3)

    services.close(mine.pk, by=picker, now=timezone.now())
    services.close(theirs.pk, by=colleague, now=timezone.now())

    stock.refresh_from_db()
    assert stock.value == 3


# Commands


def test_commands_have_codes_that_no_keyboard_changes():
    codes = [*commands.CODES.values(), *commands.REASON_CODES.values()]

    assert len(set(codes)) == len(codes)
    assert all(set(code) <= {*ALPHABET, "M"} and check_character(code[:-1]) == code[-1] for code in codes)
    assert commands.named(f" {commands.CODES['undo'].lower()} ") == "undo"
    assert commands.named("CMD01") == ""


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (commands.CODES["undo"], "undo"),
        (commands.CODES["pause"], "pause"),
        (commands.REASON_CODES["DAMAGED"], "short"),
    ],
)
def test_command_that_a_plain_form_sends_is_done(client, facility, picker, job, line, code, kind):
    client.force_login(picker)
    form = {"id": str(uuid.uuid4()), "kind": "scan", "line": str(line.pk), "code": code}

    client.post(reverse("picking:job-act", args=[facility.slug, job.pk]), form)

    assert job.scans.get().kind == kind


def test_line_that_was_left_for_later_is_not_the_expected_one(facility, picker, job):
    set_rules(facility, location_scan="MUST_SCAN_FIRST")
    _first, second = job.lines.all()

    place = queries.places_of(second)[0]

    assert told(act(job, "scan", by=picker, code=place.codes[0])) == (422, "wrong_location")
    assert told(act(job, "scan", by=picker, code=place.codes[0], line=second.pk)) == (200, "place")
