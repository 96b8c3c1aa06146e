"""The made-up job: whole enough for the screen, with the rules of the facility, and nothing of it saved."""

import json

import pytest
from django.urls import reverse

from fulfillment.core.models import Article, Listing, Stock, StorageLocation
from picking import sheets
from picking.models import PickJob, PickLine, ScanEvent
from picking.practice import CARTON_CODE, TOTE_CODE, practice
from tests.factories.picking import started_pick_job
from tests.picking.test_sheets import codes

pytestmark = pytest.mark.django_db
MODELS = [PickJob, PickLine, ScanEvent, Article, Listing, Stock, StorageLocation]


@pytest.fixture
def address(facility):
    return reverse("picking:practice", args=[facility.slug])


def data_of(response):
    text = response.content.decode().split('id="job-data" type="application/json">')[1]
    return json.loads(text.split("</script>")[0])


def test_practice_page_has_all_that_a_real_job_has(facility, picker, client, address):
    client.force_login(picker)
    job = started_pick_job(picker, 1, facility=facility)

    made_up = data_of(client.get(address))

    real = data_of(client.get(reverse("picking:job-detail", args=[facility.slug, job.pk])))
    assert made_up.keys() == real.keys()
    assert made_up["rules"].keys() == real["rules"].keys()
    assert {*made_up["lines"][0]} == {*real["lines"][0]}
    assert made_up["lines"][1]["codes"][CARTON_CODE] == 3
    assert [one["title"] for one in made_up["lines"][2]["substitutes"]] == ["Tea towel, green"]


def test_practice_follows_the_rules_of_the_facility(facility, picker, client, address):
    facility.location_scan, facility.counts_unknown_codes = "MUST_SCAN_EACH", True
    facility.save()
    client.force_login(picker)

    rules = data_of(client.get(address))["rules"]

    assert (rules["location"], rules["unknown"]) == ("MUST_SCAN_EACH", False)


def test_practice_saves_nothing_even_when_posted(facility, picker, client, address):
    client.force_login(picker)
    client.get(address)

    response = client.post(address, {"kind": "scan", "code": CARTON_CODE}, follow=True)

    assert "Nothing is booked in practice." in response.content.decode()
    assert [model for model in MODELS if model.objects.exists()] == []


@pytest.mark.drawn
def test_practice_sheet_has_every_code_of_the_job(facility):
    made_up = practice(facility)

    found = {text for _kind, text in codes(sheets.practice_sheet(facility, "de"))}

    lines = made_up.walk.lines
    assert found >= {code for line in lines for code in (line.codes[0], line.places[0].codes[0])}
    assert found >= {CARTON_CODE, TOTE_CODE}
