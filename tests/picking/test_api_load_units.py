import pytest
from django.utils import timezone

from fulfillment.core.api.schema import validate
from picking import load_unit_wire as wire
from picking import load_units
from picking import services as picking
from picking.models import LoadUnit
from tests.apiclient import Api
from tests.factories.core import FacilityFactory, StorageLocationFactory, api_token
from tests.factories.picking import book, pick_job, started_pick_job
from tests.factories.runs import job_of, run_of, shelf

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(client):
    return Api(client)


@pytest.fixture
def job(facility):
    return pick_job(2, facility=facility)


def of_job(job):
    return f"/api/pickjobs/{job.pk}/loadunits"


def test_unit_is_made_for_a_job_and_found_by_it(api, facility, job):
    place = StorageLocationFactory(facility=facility)

    answer = api.post(of_job(job), {"codes": ["BOX-1"], "storageLocationRef": str(place.pk)})

    unit = answer.json()
    assert answer.status_code == 201
    assert answer["Location"] == f"/api/loadunits/{unit['id']}"
    validate(wire.load_unit, unit)
    assert (unit["codes"], unit["status"], unit["pickJobRefs"]) == (["BOX-1"], "AVAILABLE", [str(job.pk)])
    assert unit["nameLocalized"] == {"en_US": "Tote", "de_DE": "Kiste"}
    assert unit["storageLocationRef"] == str(place.pk)
    assert api.get(answer["Location"]).json() == unit
    listed = {"loadUnits": [unit], "total": 1}
    assert api.get(of_job(job)).json() == listed
    assert api.get("/api/loadunits", {"pickJobRef": str(job.pk)}).json() == listed
    assert api.get("/api/loadunits", {"pickJobRef": str(pick_job(1).pk)}).json()["total"] == 0


def test_known_unit_is_taken_by_its_code_unless_it_holds_other_goods(api, facility, job):
    (tote,) = load_units.create(facility, by=None, now=timezone.now())

    assert api.post(of_job(job), {"codes": [tote.code]}).json()["id"] == str(tote.pk)
    assert api.post(of_job(job), {"codes": [tote.code]}).status_code == 201
    other = api.post(of_job(pick_job(1, facility=facility)), {"codes": [tote.code]})
    elsewhere = api.post(of_job(pick_job(1)), {"codes": [tote.code]})

    assert (other.status_code, other.json()[0]["summary"]) == (422, "LOAD_UNIT_IN_USE")
    assert (elsewhere.status_code, elsewhere.json()[0]["summary"]) == (422, "CODE_TAKEN")


def test_what_is_in_the_only_unit_of_a_job_is_told(api, facility, picker):
    job = started_pick_job(picker, 2, 1, facility=facility)
    book(job, 2, 0, by=picker)
    unit = api.post(of_job(job), {"codes": ["BOX-1"]}).json()

    assert [line["quantity"] for line in unit["loadUnitLineItems"]] == [2]
    api.post(of_job(job), {"codes": ["BOX-2"]})
    assert api.get(f"/api/loadunits/{unit['id']}").json()["loadUnitLineItems"] == []


def test_unit_of_a_batch_serves_all_its_jobs(api, facility):
    mug = shelf(facility, "Mug")
    jobs = [job_of(facility, (mug, 1)) for _number in range(2)]
    run = run_of(*jobs, method="BATCH", by="program")
    (tote,) = load_units.create(facility, by=None, now=timezone.now())
    load_units.take_batch(tote.pk, run.pk, by=None, now=timezone.now())

    (unit,) = api.get(of_job(jobs[1])).json()["loadUnits"]

    assert unit["pickJobRefs"] == [str(job.pk) for job in jobs]


def test_unit_is_put_elsewhere_with_its_version(api, facility, job):
    unit = api.post(of_job(job), {"codes": ["BOX-1"]}).json()
    place = StorageLocationFactory(facility=facility)
    url = f"/api/loadunits/{unit['id']}"

    moved = api.patch(url, {"version": unit["version"], "storageLocationRef": str(place.pk)})
    late = api.patch(url, {"version": unit["version"], "storageLocationRef": str(place.pk)})
    foreign = api.patch(
        url,
        {"version": moved.json()["version"], "storageLocationRef": str(StorageLocationFactory().pk)},
    )
    lines = api.patch(
        url, {"version": moved.json()["version"], "actions": [{"action": "ReplaceLoadUnitLineItems"}]}
    )

    assert moved.json()["storageLocationRef"] == str(place.pk)
    assert [answer.status_code for answer in (moved, late, foreign, lines)] == [200, 409, 400, 422]


def test_deleted_unit_holds_nothing_and_the_second_time_it_is_retired(api, facility, job):
    unit = api.post(of_job(job), {"codes": ["BOX-1"]}).json()
    url = f"/api/loadunits/{unit['id']}"

    answers = [api.delete(url) for _time in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 422]
    assert (answers[0].json()["status"], answers[0].json()["pickJobRefs"]) == ("OBSOLETE", [])
    assert LoadUnit.objects.get().status == "RETIRED"
    assert api.get("/api/loadunits").json()["total"] == 0
    assert api.get("/api/loadunits", {"statuses": "OBSOLETE"}).json()["total"] == 1


def test_job_without_goods_and_unknown_parts_are_refused(api, facility, job):
    assert api.post(of_job(job), {"codes": ["A", "B"]}).json()[0]["summary"] == "NOT_OFFERED"
    assert api.post(of_job(job), {"codes": ["A"], "stackRef": "S"}).json()[0]["summary"] == "NOT_OFFERED"
    picking.cancel(job.pk, by=None, now=timezone.now())
    assert api.post(of_job(job), {"codes": ["A"]}).json()[0]["summary"] == "NOTHING_TO_HOLD"


def test_unit_of_another_facility_is_not_there(client, api, job):
    unit = api.post(of_job(job), {"codes": ["BOX-1"]}).json()
    elsewhere = Api(client, api_token(facilities=[FacilityFactory()]))

    assert elsewhere.get(f"/api/loadunits/{unit['id']}").status_code == 404
    assert elsewhere.get("/api/loadunits").json()["total"] == 0
    assert elsewhere.get(of_job(job)).status_code == 404
