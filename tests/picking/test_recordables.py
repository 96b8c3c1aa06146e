"""What is recorded of a line's units beside lot and serial number: asked by the listing, kept on the line."""

import pytest
from django.utils import timezone
from django.utils.translation import override

from fulfillment.core.models import Listing
from picking import recordables, run_scans, services
from picking.models import PickJob, PickLine, ScanEvent
from tests.apiclient import Api
from tests.factories.core import ArticleFactory, StorageLocationFactory, put_stock
from tests.factories.orders import OrderFactory
from tests.factories.picking import act, code_of, ean, route
from tests.factories.runs import run_of

pytestmark = pytest.mark.django_db
TEMPERATURE = {"keyLocalized": {"en_US": "Temperature", "de_DE": "Temperatur"}, "recordingRule": "MANDATORY"}
COLOUR = {"keyLocalized": {"en_US": "Colour"}, "recordingRule": "OPTIONAL", "value": "blue"}


@pytest.fixture
def fish(facility):
    article = ArticleFactory(code=ean())
    put_stock(facility, article, 20, location=StorageLocationFactory(facility=facility))
    Listing.objects.filter(article=article).update(
        extra={"recordableAttributes": [TEMPERATURE, COLOUR, {"key": "no name"}]}
    )
    return article


@pytest.fixture
def job(facility, fish):
    return route(OrderFactory((fish, 2), preselected=[facility]))


@pytest.fixture
def line(job):
    return job.lines.get()


def begin(job, picker):
    return services.start(job.pk, by=picker, now=timezone.now())


def values(line):
    line.refresh_from_db()
    return [one["value"] for one in line.recordables]


def test_line_has_the_attributes_of_its_listing_named_in_the_readers_language(line):
    with override("de"):
        shown = recordables.shown(line)

    assert [(one.name, one.value, one.is_mandatory) for one in shown] == [
        ("Temperatur", "", True),
        ("Colour", "blue", False),
    ]


@pytest.mark.parametrize(
    "old",
    [
        "temperature",
        {"keyLocalized": "Temperature", "recordingRule": "OPTIONAL"},
        {"keyLocalized": {"en_US": 5}, "recordingRule": "OPTIONAL"},
        {"keyLocalized": {"en_US": "Temperature"}, "recordingRule": ["OPTIONAL"]},
    ],
)
def test_listing_from_a_time_when_anything_was_taken_holds_up_no_routing(facility, fish, old):
    number = {"keyLocalized": {"en_US": "Number"}, "recordingRule": "OPTIONAL", "value": 5}
    Listing.objects.filter(article=fish).update(extra={"recordableAttributes": [old, number]})

    line = route(OrderFactory((fish, 1), preselected=[facility])).lines.get()

    assert [(one.name, one.value) for one in recordables.shown(line)] == [("Number", "")]


def test_last_unit_is_refused_until_what_must_be_is_recorded(job, line, picker):
    begin(job, picker)
    first = act(job, "scan", by=picker, code=code_of(line))
    refused = act(job, "scan", by=picker, code=code_of(line))
    by_hand = act(job, "quantity", by=picker, line=line.pk, quantity=1)

    kept = act(job, "attribute", by=picker, line=line.pk, attribute=line.recordables[0]["id"], code=" 3.5 ")
    last = act(job, "scan", by=picker, code=code_of(line))

    assert (first.data["kind"], refused.status_code, by_hand.status_code) == ("ok", 422, 422)
    assert "Temperature" in refused.data["text"]
    assert kept.data["line"]["attributes"][0][1:] == ["Temperature", "3.5", True]
    assert last.data["kind"] == "job_done"
    assert values(line) == ["3.5", "blue"]
    assert ScanEvent.objects.filter(kind="attribute", code=" 3.5 ").count() == 1


def test_missing_units_need_no_value(job, line, picker):
    begin(job, picker)

    assert act(job, "short", by=picker, line=line.pk, reason="NOT_FOUND").status_code == 200


def test_attribute_of_another_line_is_refused(facility, fish, job, line, picker):
    elsewhere = route(OrderFactory((fish, 1), preselected=[facility])).lines.get()
    begin(job, picker)

    answer = act(
        job, "attribute", by=picker, line=line.pk, attribute=elsewhere.recordables[0]["id"], code="4"
    )

    assert (answer.status_code, values(elsewhere)) == (409, [None, "blue"])


def test_parts_that_are_split_and_merged_keep_what_is_recorded(job, line, picker):
    begin(job, picker)
    act(job, "attribute", by=picker, line=line.pk, attribute=line.recordables[0]["id"], code="4")

    services.split(job.pk, [services.Split(line.pk, 1)], by=picker, now=timezone.now())
    parts = list(job.lines.all())
    services.merge(job.pk, [part.pk for part in parts], by=picker, now=timezone.now())

    assert [[one["value"] for one in part.recordables] for part in parts] == [["4", "blue"]] * 2
    assert len({one["id"] for part in parts for one in part.recordables}) == 4
    assert values(job.lines.get()) == ["4", "blue"]


def test_merged_parts_keep_the_values_of_both_and_stay_apart_when_they_differ(job, line, picker):
    begin(job, picker)
    services.split(job.pk, [services.Split(line.pk, 1)], by=picker, now=timezone.now())
    first, second = parts = list(job.lines.all())

    def record(part, index, value):
        attribute = part.recordables[index]["id"]
        act(job, "attribute", by=picker, line=part.pk, attribute=attribute, code=value)

    def merge():
        services.merge(job.pk, [part.pk for part in parts], by=picker, now=timezone.now())

    record(first, 1, "red")
    record(second, 0, "4")
    record(second, 1, "green")
    with pytest.raises(services.NotToBeMerged):
        merge()
    assert [values(part) for part in parts] == [[None, "red"], ["4", "green"]]
    record(second, 1, "blue")  # as the listing proposes
    merge()

    assert values(job.lines.get()) == ["4", "red"]


def test_job_that_begins_anew_has_forgotten_it(job, line, picker):
    begin(job, picker)
    for one in line.recordables:
        act(job, "attribute", by=picker, line=line.pk, attribute=one["id"], code="4")
    assert values(line) == ["4", "4"]

    services.reset(job.pk, by=picker, now=timezone.now())

    assert values(line) == [None, "blue"]


def test_value_of_a_batch_is_kept_for_every_order_under_its_lock(facility, fish, picker, monkeypatch):
    jobs = [route(OrderFactory((fish, units), preselected=[facility])) for units in (1, 2)]
    run = run_of(*jobs, method="BATCH", by=picker)
    [stop] = run_scans.run_queries.stops_of(run)
    who = {"by": picker, "facility": facility, "now": timezone.now()}
    attribute = run_scans.scans.Action(
        id=stop.lines[1].pk,
        kind="attribute",
        job=run.pk,
        line=stop.pk,
        attribute=stop.lines[1].recordables[0]["id"],
        code="5",
    )

    before = list(PickJob.objects.values_list("version", flat=True))

    assert run_scans.act(attribute, **who).status_code == 200

    assert [values(line) for line in PickLine.objects.filter(run=run)] == [["5", "blue"]] * 2
    assert list(PickJob.objects.values_list("version", flat=True)) == [version + 1 for version in before]
    assert set(ScanEvent.objects.values_list("job", "code")) == {(job.pk, "5") for job in jobs}


def test_api_shows_and_changes_what_is_recorded(client, job, line):
    api, url = Api(client), f"/api/pickjobs/{job.pk}"
    [temperature, colour] = api.get(url).json()["pickLineItems"][0]["recordableAttributes"]
    assert temperature == {"id": line.recordables[0]["id"], "key": "Temperature", **TEMPERATURE}
    updates = [
        {
            "recordableAttributeId": temperature["id"],
            "value": "3.5",
            "group": "cold",
            "keyLocalized": {"de_DE": "Grad"},
        },
        {"recordableAttributeId": colour["id"], "value": None, "recordingRule": "MANDATORY"},
    ]
    body = {
        "name": "UPDATE_PICK_LINE_ITEM_RECORDABLE_ATTRIBUTES",
        "version": 1,
        "recordableAttributeUpdates": updates,
    }

    answer = api.post(f"{url}/actions", body)
    unknown = api.post(
        f"{url}/actions",
        {**body, "version": 2, "recordableAttributeUpdates": [{"recordableAttributeId": "x"}]},
    )
    assert unknown.json()[0]["summary"] == "UNKNOWN_ATTRIBUTE"

    shown = answer.json()["pickLineItems"][0]["recordableAttributes"]
    renamed = {"key": "Grad", "keyLocalized": {"de_DE": "Grad"}}
    assert shown[0] == {**temperature, **renamed, "value": "3.5", "group": "cold"}
    assert ("value" in shown[1], shown[1]["recordingRule"]) == (False, "MANDATORY")
    assert (answer.json()["version"], unknown.status_code) == (2, 422)


def test_listing_of_the_api_names_what_is_recorded(client, facility, fish):
    api = Api(client)
    path = f"/api/facilities/{facility.pk}/listings"
    body = {"tenantArticleId": fish.sku, "title": "Fish"}

    def put(*asked):
        return api.put(path, {"listings": [{**body, "recordableAttributes": list(asked)}]})

    assert put(TEMPERATURE).status_code == 200
    assert "must not be empty" in put({**TEMPERATURE, "keyLocalized": {"en_US": None}}).content.decode()
    assert Listing.objects.get(article=fish).extra["recordableAttributes"] == [TEMPERATURE]
