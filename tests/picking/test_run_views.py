import io
import uuid

import pypdfium2
import pytest
import zxingcpp
from django.urls import reverse
from django.utils import timezone

from picking import load_units, runs
from picking.models import LoadUnit, PickRun
from tests.factories.core import FacilityFactory, StorageLocationFactory
from tests.factories.picking import pick_job
from tests.factories.runs import job_of, run_of, shelf

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client, picker):
    client.force_login(picker)
    return client


@pytest.fixture
def mug(facility):
    facility.picking_methods = ["MULTI_ORDER", "BATCH", "ZONE"]
    facility.save(update_fields=["picking_methods"])
    return shelf(facility, "Mug", aisle=1, bay=2)


@pytest.fixture
def two(facility, mug):
    return job_of(facility, (mug, 2)), job_of(
        facility, (mug, 1), (shelf(facility, "Lamp", aisle=3, bay=1), 1)
    )


def url(name, *args):
    return reverse(f"picking:{name}", args=["here", *args])


def text(response):
    return " ".join(response.content.decode().split())


def test_list_ticks_the_jobs_that_are_suggested(desk, two):
    answer = desk.get(url("run-list"), {"method": "BATCH"})

    assert [(offer.job, offer.units, offer.is_suggested) for offer in answer.context["offers"]] == [
        (two[0], 2, True),
        (two[1], 2, True),
    ]
    assert (answer.context["units"], answer.context["places"]) == (4, 2)
    assert "2 orders on a short way" in text(answer)


def test_facility_that_picks_one_by_one_says_so(desk, facility):
    pick_job(1, facility=facility)

    assert "picks orders one by one" in text(desk.get(url("run-list")))


def test_preview_numbers_the_orders_and_suggests_free_totes(desk, facility, two):
    (tote,) = load_units.create(facility, by=None, now=timezone.now())

    answer = desk.get(url("run-preview"), {"method": "MULTI_ORDER", "job": [str(job.pk) for job in two]})

    assert [(offer.number, offer.job, offer.unit) for offer in answer.context["offers"]] == [
        (1, two[0], tote),
        (2, two[1], None),
    ]
    assert answer.context["map"].names == [place.name for place in facility.locations.order_by("aisle")]


def test_run_begins_with_the_totes_of_the_preview(desk, facility, two, picker):
    (tote,) = load_units.create(facility, by=None, now=timezone.now())
    data = {
        "method": "MULTI_ORDER",
        "job": [str(job.pk) for job in two],
        f"tote-{two[1].pk}": tote.code,
    }

    answer = desk.post(url("run-create"), data)

    run = PickRun.objects.get()
    assert answer.url == url("run-detail", run.pk)
    assert (run.status, run.editor) == ("IN_PROGRESS", picker)
    assert LoadUnit.objects.get().job == two[1]


def test_tote_that_somebody_else_took_meanwhile_leaves_no_run(desk, facility, two, mug):
    (tote,) = load_units.create(facility, by=None, now=timezone.now())
    load_units.assign(tote.pk, job_of(facility, (mug, 1)).pk, by=None, now=timezone.now())
    data = {"method": "BATCH", "job": [str(two[0].pk)], f"tote-{two[0].pk}": tote.code}

    desk.post(url("run-create"), data)

    assert not PickRun.objects.exists()


@pytest.mark.parametrize("data", [{}, {"method": "BATCH"}, {"method": "DANCE", "job": []}, {"job": ["x"]}])
def test_run_without_sense_is_refused_in_words(desk, two, data):
    answer = desk.post(url("run-create"), data, follow=True)

    assert answer.status_code == 200
    assert 'class="notice notice-bad"' in answer.content.decode()
    assert not PickRun.objects.exists()


def test_picker_chooses_zones_and_they_are_remembered(desk, facility, mug):
    cold, dry = (facility.zones.create(name=name) for name in ("Cold", "Dry"))
    job = job_of(facility, (shelf(facility, "Ice", zone=cold), 1), (shelf(facility, "Rice", zone=dry), 2))

    first = desk.get(url("run-list"), {"method": "ZONE"})
    chosen = desk.get(url("run-list"), {"method": "ZONE", "zone": ["", str(dry.pk)]})
    again = desk.get(url("run-list"), {"method": "ZONE"})

    assert first.context["offers"] == []
    for answer in (chosen, again):
        assert [(offer.job, offer.units) for offer in answer.context["offers"]] == [(job, 2)]
    desk.post(url("run-create"), {"method": "ZONE", "zone": [str(dry.pk)], "job": [str(job.pk)]})
    assert [line.title for line in PickRun.objects.get().lines.all()] == ["Rice"]


def test_page_of_a_run_shows_the_stop_its_tote_and_the_map(desk, two, picker):
    run = run_of(*two, by=picker)

    answer = desk.get(url("run-detail", run.pk))

    page = text(answer)
    assert answer["X-User"] == str(picker.pk)
    assert f'data-slot="into">1 · {two[0].short_id}<' in page
    assert "<svg" in page
    assert answer.context["map"].marks[0]["is_next"]
    data = answer.context["job_data"]
    assert (data["id"], data["name"], len(data["lines"])) == (str(run.pk), "#1", 3)
    assert data["lines"][1]["into"] == f"2 · {two[1].short_id}"


def test_batch_shows_equal_articles_as_one_stop(desk, two, picker):
    run = run_of(*two, by=picker, method="BATCH")

    data = desk.get(url("run-detail", run.pk)).context["job_data"]

    assert [(line["title"], line["quantity"], line["into"]) for line in data["lines"]] == [
        ("Mug", 3, ""),
        ("Lamp", 1, ""),
    ]
    assert [place["quantity"] for place in data["lines"][0]["places"]] == [3]


def test_plain_form_picks_a_run_to_its_end(desk, two, picker):
    run = run_of(*two, by=picker, method="BATCH")

    def act(**fields):
        return desk.post(url("run-act", run.pk), {"id": str(uuid.uuid4()), **fields})

    for line in desk.get(url("run-detail", run.pk)).context["job_data"]["lines"]:
        assert act(kind="quantity", line=line["id"], quantity=line["quantity"]).url == url(
            "run-detail", run.pk
        )
    assert act(kind="close").url == url("run-list")

    run.refresh_from_db()
    assert run.status == "CLOSED"


def test_run_is_put_aside_continued_taken_over_and_dissolved(desk, two, colleague, picker):
    run = run_of(*two, by=colleague)

    desk.post(url("run-take-over", run.pk))
    assert PickRun.objects.get().editor == picker
    desk.post(url("run-pause", run.pk))
    desk.post(url("run-start", run.pk))
    desk.post(url("run-remove-job", run.pk, two[0].pk))
    assert PickRun.objects.get().run_jobs.get().job == two[1]
    answer = desk.post(url("run-cancel", run.pk))

    assert answer.url == url("run-list")
    assert PickRun.objects.get().status == "CANCELED"


def test_same_queries_for_a_run_of_any_size(desk, facility, mug, picker, django_assert_max_num_queries):
    for number in (1, 4):
        run = run_of(*[job_of(facility, (mug, 1)) for _number in range(number)], by=picker)
        with django_assert_max_num_queries(24):
            assert desk.get(url("run-detail", run.pk)).status_code == 200
        runs.cancel(run.pk, by=picker, now=timezone.now())


def test_job_of_a_run_leads_to_its_run(desk, two, picker, colleague):
    run = run_of(*two, by=picker)

    answer = desk.get(url("job-detail", two[0].pk))
    assert not answer.context["is_mine"]
    assert url("run-detail", run.pk) in text(answer)
    assert url("job-start", two[0].pk) not in text(answer)


# Totes


@pytest.mark.drawn
def test_new_totes_come_with_labels_that_can_be_scanned(desk):
    answer = desk.post(url("load-unit-create"), {"number": 3, "type": "TOTE"})

    pages = pypdfium2.PdfDocument(io.BytesIO(answer.content))
    codes = {unit.code for unit in LoadUnit.objects.all()}
    assert (answer["Content-Type"], len(pages), len(codes)) == ("application/pdf", 3, 3)
    for page in pages:
        assert [round(size / 72 * 25.4) for size in page.get_size()] == [100, 50]
        found = zxingcpp.read_barcodes(page.render(scale=203 / 72).to_pil())
        assert sorted(one.format.name for one in found) == ["Code128", "QRCode"]
        assert len({one.text for one in found}) == 1
        codes.remove(found[0].text)
    assert codes == set()


def test_label_is_printed_again_the_same(desk, facility):
    (tote,) = load_units.create(facility, by=None, now=timezone.now())

    first, second = (desk.post(url("load-unit-label", tote.pk)).content for _time in range(2))

    assert first == second


def test_scanned_tote_opens_and_an_unknown_one_is_told(desk, facility):
    (tote,) = load_units.create(facility, by=None, now=timezone.now())

    assert desk.get(url("load-unit-list"), {"code": tote.code}).url == url("load-unit-detail", tote.pk)
    assert "No tote here has the code NONE" in text(desk.get(url("load-unit-list"), {"code": "NONE"}))


def test_tote_is_used_put_freed_and_retired(desk, facility):
    job = pick_job(1, facility=facility)
    (tote,) = load_units.create(facility, by=None, now=timezone.now())
    place = StorageLocationFactory(facility=facility)

    def current():
        unit = LoadUnit.objects.get()
        return unit.status, unit.job, unit.location

    desk.post(url("load-unit-assign", tote.pk), {"short_id": job.short_id.lower()})
    assert current() == ("IN_USE", job, None)
    desk.post(url("load-unit-put", tote.pk), {"code": place.name})
    assert current() == ("IN_USE", job, place)
    assert place.name in text(desk.get(url("load-unit-detail", tote.pk)))
    desk.post(url("load-unit-free", tote.pk))
    assert current() == ("FREE", None, None)
    desk.post(url("load-unit-retire", tote.pk))
    assert current() == ("RETIRED", None, None)


def test_wrong_input_about_a_tote_is_told(desk, facility):
    (tote,) = load_units.create(facility, by=None, now=timezone.now())
    foreign = pick_job(1, facility=FacilityFactory())

    for name, data in [
        ("load-unit-assign", {"short_id": foreign.short_id}),
        ("load-unit-assign", {}),
        ("load-unit-put", {"code": "NOWHERE"}),
    ]:
        answer = desk.post(url(name, tote.pk), data, follow=True)
        assert 'class="notice notice-bad"' in answer.content.decode()
    assert "notice-bad" in desk.post(url("load-unit-create"), {"number": 0}, follow=True).content.decode()
    assert LoadUnit.objects.get().status == "FREE"
