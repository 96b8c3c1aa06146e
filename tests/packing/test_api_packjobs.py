import uuid

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fulfillment.core.api.assigned import read_assigned
from fulfillment.core.api.schema import validate
from fulfillment.core.models import ApiToken, Permission
from fulfillment.core.services import signin
from orders.events import OrderCancelled
from packing import services as packing
from packing import wire
from packing.models import PackJob
from picking.events import PickJobClosed
from tests.apiclient import Api, described
from tests.factories.core import ArticleFactory, FacilityFactory, StorageLocationFactory, api_token, staff
from tests.factories.packing import box, closed_pick_job, pack_job, started_pack_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("closings")]


@pytest.fixture
def api(client):
    return Api(client)


def as_person(client, user):
    return Api(client, signin.access_token(user, now=timezone.now()))


def url(job, rest=""):
    return f"/api/packjobs/{job.pk}{rest}"


def current(job):
    return PackJob.objects.get(pk=job.pk)


def line_ids(job):
    return [str(pk) for pk in job.lines.values_list("pk", flat=True)]


def patch(api, job, *actions, version=None):
    return api.patch(url(job), {"version": version or current(job).version, "actions": list(actions)})


def set_status(status):
    return {"action": "ModifyPackJob", "status": status}


def packed(line_id, units):
    return {"action": "ModifyPackLineItem", "id": line_id, "packed": units}


def contents(job):
    return [
        {str(item.line_id): item.quantity for item in package.items.all()} for package in job.packages.all()
    ]


def test_job_is_read_in_the_wire_format(api):
    job = pack_job(2, 1)

    response = api.get(url(job))

    answer = response.json()
    assert response.status_code == 200
    validate(wire.pack_job, answer)
    assert (answer["pickJobRef"], answer["facilityRef"]) == (str(job.pick_job_id), str(job.facility_id))
    assert (answer["processId"], answer["deliveryChannel"]) == (str(job.order.process_id), "SHIPPING")
    assert [(line["quantity"], line["packed"]) for line in answer["lineItems"]] == [(2, 0), (1, 0)]
    assert answer["lineItems"][0]["article"]["title"] == job.lines.first().title


def test_attributes_of_the_pick_job_are_copied():
    pick_job = closed_pick_job(1)
    pick_job.custom_attributes, pick_job.tags = {"a": 1}, [{"id": "brand", "value": "B"}]
    pick_job.save(update_fields=["custom_attributes", "tags"])

    packing.on_pick_job_closed(PickJobClosed(pick_job.pk), by=None, now=timezone.now())

    job = PackJob.objects.get()
    assert (job.custom_attributes, job.tags) == ({"a": 1}, [{"id": "brand", "value": "B"}])


def test_patches_of_the_sdk_start_pack_and_close(api, closings):
    job = pack_job(2, 1)
    first, second = line_ids(job)

    started = patch(api, job, set_status("IN_PROGRESS"), version=1)
    counted = patch(api, job, packed(first, 2), packed(second, 1), version=started.json()["version"])
    closed = patch(api, job, set_status("CLOSED"), version=counted.json()["version"])

    assert [answer.status_code for answer in (started, counted, closed)] == [200, 200, 200]
    assert [line["packed"] for line in counted.json()["lineItems"]] == [2, 1]
    assert closed.json()["status"] == "CLOSED"
    validate(wire.pack_job, closed.json())
    # Nobody weighed the package, so it weighs what its three articles of 300 g do.
    assert job.packages.get().weight_g == 900
    assert closings == [job.pk]


def test_package_of_unknown_articles_gets_the_usual_weight(api):
    job = pack_job(1, articles=[ArticleFactory(weight_g=None)])

    patch(api, job, set_status("IN_PROGRESS"), packed(line_ids(job)[0], 1), set_status("CLOSED"))

    assert job.packages.get().weight_g == 1000


def test_counts_are_absolute_and_come_out_of_the_last_package_first(api):
    job = started_pack_job(None, 3)
    (line,) = line_ids(job)
    patch(api, job, packed(line, 2))
    packing.add_package(job.pk, by=None, now=timezone.now())
    patch(api, job, packed(line, 3))
    assert contents(job) == [{line: 2}, {line: 1}]

    response = patch(api, job, packed(line, 1))

    assert response.json()["lineItems"][0]["packed"] == 1
    assert contents(job) == [{line: 1}, {}]


def test_pause_takes_counts_along(api):
    job = started_pack_job(None, 2)

    response = patch(
        api,
        job,
        {"action": "PausePackJob", "packLineItemsUpdate": [{"id": line_ids(job)[0], "packed": 1}]},
    )

    assert (response.json()["status"], response.json()["lineItems"][0]["packed"]) == ("PAUSED", 1)


def test_patch_that_fails_changes_nothing(api):
    job = pack_job(1)

    response = patch(api, job, set_status("IN_PROGRESS"), packed(line_ids(job)[0], 2))

    assert (response.status_code, response.json()[0]["summary"]) == (422, "TOO_MANY_UNITS")
    assert (current(job).status, current(job).version) == ("OPEN", 1)


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (packed(str(uuid.uuid4()), 1), "NOT_A_LINE"),
        (packed("nothing", 1), "NOT_A_LINE"),
        (set_status("CLOSED"), "UNITS_LEFT"),
        (set_status("CANCELED"), "NOT_OFFERED"),
    ],
)
def test_patch_refuses_what_cannot_be_done(api, action, code):
    response = patch(api, started_pack_job(None, 1), action)

    assert (response.status_code, response.json()[0]["summary"]) == (422, code)


def test_work_needs_a_started_job(api):
    job = pack_job(1)

    assert patch(api, job, packed(line_ids(job)[0], 1)).json()[0]["summary"] == "NOT_IN_PROGRESS"
    assert patch(api, job, set_status("PAUSED")).json()[0]["summary"] == "WRONG_STATUS"


def test_unknown_action_and_property_are_refused(api):
    job = pack_job(1)

    assert "must be one of ModifyPackJob" in described(patch(api, job, {"action": "Explode"}))[0]
    assert described(patch(api, job, {"action": "ModifyPackJob", "colour": "red"})) == [
        "actions[0].colour: is not a known property"
    ]


def test_old_version_is_refused_with_both(api):
    job = started_pack_job(None, 1)

    for response in (
        patch(api, job, packed(line_ids(job)[0], 1), version=1),
        patch(api, job, {"action": "ModifyPackJob"}, version=1),
        api.post(
            url(job, "/actions"),
            {"name": "ADD_TARGET_TIME", "version": 1, "targetTime": "2030-01-02T03:04:05Z"},
        ),
    ):
        assert response.status_code == 409
        assert (response.json()[0]["requestVersion"], response.json()[0]["version"]) == (1, 2)


def test_target_time_and_attributes_are_set(api):
    job = pack_job(1)

    response = api.post(
        url(job, "/actions"), {"name": "ADD_TARGET_TIME", "version": 1, "targetTime": "2030-01-02T03:04:05Z"}
    )
    patched = patch(api, job, {"action": "ModifyPackJob", "customAttributes": {"b": 2}})

    assert response.status_code == 200
    assert current(job).target_time.year == 2030
    assert (patched.json()["customAttributes"], patched.json()["version"]) == ({"b": 2}, 3)


def test_replacing_assigned_users_says_for_whom_a_job_is(api):
    job, elsewhere = pack_job(1), staff("packer", FacilityFactory())
    anna, ben = (staff("packer", job.facility) for _number in range(2))

    def assign(*named, version=None):
        body = {"name": "REPLACE_ASSIGNED_USERS", "assignedUsers": list(named)}
        return api.post(url(job, "/actions"), {**body, "version": version or current(job).version})

    answer = assign({"userId": str(anna.pk)}, {"username": ben.email.upper()})

    assert [user["username"] for user in answer.json()["assignedUsers"]] == [anna.email, ben.email]
    assert answer.json()["version"] == 2
    assert api.get("/api/packjobs", {"assignedUser": ben.email}).json()["total"] == 1
    assert api.get("/api/packjobs", {"assignedUser": elsewhere.email}).json()["total"] == 0
    assert assign({"userId": str(elsewhere.pk)}).status_code == 400
    assert assign(version=1).status_code == 409
    assert assign().json()["assignedUsers"] == []


def test_people_are_looked_up_together(db, django_assert_num_queries):
    facility = FacilityFactory()
    people = [staff("packer", facility) for _number in range(3)]
    named = [{"username": people[0].email}, *({"userId": str(user.pk)} for user in people[1:])]

    with django_assert_num_queries(2):  # who has the permission, and the people
        assert read_assigned(named, facility, Permission.PACK) == people


def test_nobody_is_assigned_to_a_job_that_is_packed(api):
    job = started_pack_job(None, 1)
    patch(api, job, packed(line_ids(job)[0], 1), set_status("CLOSED"))

    body = {"name": "REPLACE_ASSIGNED_USERS", "assignedUsers": [], "version": current(job).version}
    answer = api.post(url(job, "/actions"), body)

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "PACKING_ENDED")


def test_post_names_the_job_that_exists(api):
    job = pack_job(1)
    body = {"facilityRef": str(job.facility_id), "lineItems": [], "pickJobRef": str(job.pick_job_id)}

    response = api.post("/api/packjobs", body)

    assert (response.status_code, response["Location"]) == (303, url(job))
    assert api.get(response["Location"]).json()["id"] == str(job.pk)


def test_post_without_closed_pick_job_is_refused(api):
    body = {"facilityRef": str(uuid.uuid4()), "lineItems": []}

    for more in ({}, {"pickJobRef": str(uuid.uuid4())}, {"pickJobRef": "nothing"}):
        response = api.post("/api/packjobs", body | more)
        assert (response.status_code, response.json()[0]["summary"]) == (422, "PACK_JOB_NEEDS_PICK_JOB")
    assert api.post("/api/packjobs", body | {"colour": "red"}).status_code == 400


def test_person_packs_by_the_rules_of_the_screens(client):
    facility = FacilityFactory()
    packer, colleague = staff("packer", facility), staff("packer", facility)
    job = started_pack_job(packer, 1, facility=facility)
    actions = [packed(line_ids(job)[0], 1), set_status("CLOSED")]

    refused = patch(as_person(client, colleague), job, *actions)
    done = patch(as_person(client, packer), job, *actions)

    assert refused.json()[0]["summary"] == "PACKED_BY_SOMEONE_ELSE"
    assert (done.status_code, done.json()["editor"]["username"]) == (200, packer.email)
    assert patch(as_person(client, staff("picker", facility)), job, *actions).status_code == 403


def test_job_of_another_facility_is_not_found(client):
    job = started_pack_job(None, 1)
    foreign = Api(client, api_token(facilities=[FacilityFactory()]))

    for response in (
        foreign.get(url(job)),
        patch(foreign, job, set_status("PAUSED")),
        foreign.post(
            url(job, "/actions"),
            {"name": "ADD_TARGET_TIME", "version": 2, "targetTime": "2030-01-02T03:04:05Z"},
        ),
        foreign.get(url(job, "/targetcontainers")),
        foreign.post(url(job, "/targetcontainers"), {}),
        foreign.delete(url(job, f"/targetcontainers/{job.packages.get().pk}")),
    ):
        assert response.status_code == 404
    assert foreign.get("/api/packjobs").json() == {"packJobs": [], "total": 0}
    assert foreign.post("/api/packjobs/search", {"query": {}}).json()["packJobs"] == []


def test_reading_does_not_allow_to_pack(client):
    job = pack_job(1)
    reader = Api(client, api_token(ApiToken.Scope.READ))

    assert reader.get(url(job)).status_code == 200
    assert patch(reader, job, set_status("IN_PROGRESS")).status_code == 403
    assert reader.post(url(job, "/targetcontainers"), {}).status_code == 403
    assert client.get(url(job)).status_code == 401


def listed(response):
    assert response.status_code == 200, response.content
    validate(wire.pack_jobs, response.json())
    return [job["id"] for job in response.json()["packJobs"]]


def test_list_pages_and_filters(api):
    jobs = [pack_job(1, number=number) for number in ("A-1", "A-2", "A-3")]
    newest = [str(job.pk) for job in reversed(jobs)]
    job = jobs[1]
    found, none = [str(job.pk)], []

    assert listed(api.get("/api/packjobs", {"size": 2})) == newest[:2]
    assert listed(api.get("/api/packjobs", {"size": 2, "startAfterId": newest[1]})) == newest[2:]
    for query, expected in [
        ({"pickJobRef": str(job.pick_job_id)}, found),
        ({"packJobIds": str(job.pk)}, found),
        ({"processId": str(job.order.process_id)}, found),
        ({"orderRef": str(job.order_id)}, found),
        ({"tenantOrderId": "A-2"}, found),
        ({"facilityRef": f"urn:fft:facility:tenantFacilityId:{job.facility.tenant_facility_id}"}, found),
        ({"articleTitle": job.lines.get().title}, found),
        ({"searchTerm": "A-2"}, found),
        ({"status": "OPEN,PAUSED"}, newest),
        ({"status[0]": "OPEN", "status[1]": "PAUSED"}, newest),
        ({"status": "PACKABLE"}, none),
        ({"channel": "COLLECT"}, none),
        ({"orderBy": "ORDER_DATE_ASC"}, newest[::-1]),
        ({"endOrderDate": "2020-01-01T00:00:00Z"}, none),
    ]:
        assert listed(api.get("/api/packjobs", query)) == expected, query


def test_list_and_search_take_as_many_queries_for_three_as_for_one(api):
    facility = FacilityFactory()

    def count(call):
        with CaptureQueriesContext(connection) as queries:
            assert call().status_code == 200
        return len(queries)

    def all_of_them():
        return (
            count(lambda: api.get("/api/packjobs")),
            count(lambda: api.post("/api/packjobs/search", {"query": {}})),
        )

    pack_job(1, facility=facility)
    all_of_them()
    one = all_of_them()
    pack_job(1, 2, facility=facility, number="2")
    pack_job(2, 1, facility=facility, number="3")

    assert all_of_them() == one


def test_search_looks_into_the_lines(api):
    job, other = pack_job(1, number="A-1"), pack_job(1, number="A-2")
    sku = other.lines.get().article.sku

    def search(query, **more):
        response = api.post("/api/packjobs/search", {"query": query, **more})
        assert response.status_code == 200, response.content
        validate(wire.pack_job_page, response.json())
        return [found["id"] for found in response.json()["packJobs"]]

    assert search({"lineItems": {"contains": {"article": {"tenantArticleId": {"eq": sku}}}}}) == [
        str(other.pk)
    ]
    assert search({"tenantOrderId": {"like": "a-1"}}) == [str(job.pk)]
    assert search({}, sort=[{"orderDate": "ASC"}]) == [str(job.pk), str(other.pk)]
    colour = api.post("/api/packjobs/search", {"query": {"lineItems": {"contains": {"colour": {}}}}})
    assert "query.lineItems.colour: cannot be searched" in described(colour)[0]


def test_packages_are_target_containers(api):
    job = started_pack_job(None, 2)
    patch(api, job, packed(line_ids(job)[0], 2))

    made = api.post(url(job, "/targetcontainers"), {})
    listed_ = api.get(url(job, "/targetcontainers"))

    validate(wire.container, made.json())
    validate(wire.containers, listed_.json())
    assert made.status_code == 201
    assert api.get(made["Location"]).json() == made.json()
    first, second = listed_.json()["packingTargetContainers"]
    assert (first["lineItems"][0]["quantity"], second["lineItems"]) == (2, [])
    assert first["codes"] == [job.packages.first().code]

    assert api.delete(made["Location"]).status_code == 204
    full = api.delete(url(job, f"/targetcontainers/{first['id']}"))
    assert (full.status_code, full.json()[0]["summary"]) == (422, "PACKAGE_NOT_EMPTY")
    assert job.packages.count() == 1
    elsewhere = api.post(
        url(job, "/targetcontainers"), {"storageLocationRef": str(StorageLocationFactory().pk)}
    )
    assert (elsewhere.status_code, described(elsewhere)) == (
        400,
        ["storageLocationRef: is no storage location of this facility"],
    )


def test_container_has_its_box_and_its_place(api):
    job = started_pack_job(None, 1)
    small = box("Small")
    shelf, floor = (StorageLocationFactory(facility=job.facility) for _n in range(2))
    body = {"operativeContainerTypeRef": str(small.pk), "storageLocationRef": str(shelf.pk)}

    made = api.post(url(job, "/targetcontainers"), body)
    package = job.packages.get(pk=made.json()["id"])
    action = {
        "action": "UpdatePackingTargetContainerStorageLocation",
        "storageLocationRef": str(floor.pk),
        "version": current(job).version,
    }
    moved = container_patch(api, job, package, action)

    validate(wire.container, moved.json())
    assert (made.json()["packingContainerTypeRef"], made.json()["storageLocationRef"]) == (
        str(small.pk),
        str(shelf.pk),
    )
    assert (moved.status_code, moved.json()["storageLocationRef"]) == (200, str(floor.pk))
    old = container_patch(api, job, package, {**action, "version": 1})
    assert old.status_code == 409


def test_packed_container_is_put_somewhere_else_but_not_one_of_a_cancelled_job(api):
    job, other = started_pack_job(None, 1), started_pack_job(None, 1, number="1002")
    patch(api, job, packed(line_ids(job)[0], 1), set_status("CLOSED"))
    with transaction.atomic():
        packing.on_order_cancelled(OrderCancelled(other.order_id), by=None, now=timezone.now())

    def put(job):
        package, shelf = job.packages.get(), StorageLocationFactory(facility=job.facility)
        action = {
            "action": "UpdatePackingTargetContainerStorageLocation",
            "storageLocationRef": str(shelf.pk),
            "version": current(job).version,
        }
        return container_patch(api, job, package, action)

    assert [put(job).status_code, put(other).json()[0]["summary"]] == [200, "PACKING_ENDED"]


def test_container_is_made_with_box_code_and_units(api):
    job = started_pack_job(None, 3, 1)
    small = box("Small")
    mug, lamp = job.lines.all()
    items = [
        {"originId": str(mug.pick_line_id), "quantity": 2},
        {"article": {"tenantArticleId": lamp.order_line.sku, "title": "x"}, "quantity": 1},
    ]

    made = api.post(
        url(job, "/targetcontainers"),
        {"codes": ["OWN-7"], "packingContainerTypeRef": str(small.pk), "lineItems": items},
    )

    answer = made.json()
    validate(wire.container, answer)
    assert (made.status_code, answer["codes"], answer["name"]) == (201, ["OWN-7"], "Small")
    assert (answer["packingContainerTypeRef"], answer["weightLimitInG"]) == (str(small.pk), 10_000)
    assert {item["id"]: item["quantity"] for item in answer["lineItems"]} == {str(mug.pk): 2, str(lamp.pk): 1}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"lineItems": [{"originId": str(uuid.uuid4()), "quantity": 1}]}, "NOT_A_LINE"),
        ({"lineItems": [{"article": {"tenantArticleId": "NONE"}, "quantity": 1}]}, "NOT_A_LINE"),
        ({"packingContainerTypeRef": str(uuid.uuid4())}, "UNKNOWN_BOX"),
        ({"packingContainerTypeRef": "nothing"}, "UNKNOWN_BOX"),
        ({"codes": ["a b"]}, "CODE_NOT_USABLE"),
        ({"codes": ["^XZ"]}, "CODE_NOT_USABLE"),
    ],
)
def test_container_that_cannot_be_leaves_nothing(api, body, code):
    job = started_pack_job(None, 1)

    answer = api.post(url(job, "/targetcontainers"), body)

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, code)
    assert job.packages.count() == 1


def container_patch(api, job, package, *actions, version=None):
    body = {"version": version or current(job).version, "actions": list(actions)}
    return api.patch(url(job, f"/targetcontainers/{package.pk}"), body)


def test_contents_of_a_container_are_changed_together(api):
    job = started_pack_job(None, 3, 1)
    package = job.packages.get()
    mug, lamp = line_ids(job)

    filled = container_patch(
        api,
        job,
        package,
        {"action": "AddLineItemToPackingTargetContainer", "lineItem": {"id": mug, "quantity": 3}},
        {"action": "AddLineItemToPackingTargetContainer", "lineItem": {"id": lamp, "quantity": 1}},
        {"action": "ReplaceCodesInPackingTargetContainer", "codes": ["OWN-1"]},
    )
    changed = container_patch(
        api,
        job,
        package,
        {"action": "UpdateLineItemOnPackingTargetContainer", "lineItem": {"id": mug, "quantity": 1}},
        {"action": "RemoveLineItemFromPackingTargetContainer", "lineItemRef": lamp},
    )

    validate(wire.container, changed.json())
    assert (filled.status_code, filled.json()["codes"]) == (200, ["OWN-1"])
    assert contents(job) == [{mug: 1}]
    added = api.post(url(job, f"/targetcontainers/{package.pk}"), {"id": mug, "quantity": 2})
    assert added.status_code == 201
    assert contents(job) == [{mug: 3}]


def test_change_of_a_container_that_fails_changes_nothing(api):
    job = started_pack_job(None, 1)
    package, (line,) = job.packages.get(), line_ids(job)
    add = {"action": "AddLineItemToPackingTargetContainer", "lineItem": {"id": line, "quantity": 1}}
    other = packing.add_package(job.pk, by=None, now=timezone.now())

    for action, code in [
        (add, "TOO_MANY_UNITS"),
        ({"action": "RemoveLineItemFromPackingTargetContainer", "lineItemRef": "nothing"}, "NOT_A_LINE"),
        ({"action": "ReplaceCodesInPackingTargetContainer", "codes": [other.code]}, "PACKAGE_CODE_TAKEN"),
    ]:
        answer = container_patch(api, job, package, add, action)
        assert (answer.status_code, answer.json()[0]["summary"]) == (422, code)
    assert contents(job) == [{}, {}]
    old = container_patch(api, job, package, add, version=1)
    assert (old.status_code, old.json()[0]["version"]) == (409, current(job).version)


def moved(api, job, name, packages, to):
    version = current(job).version
    ends = [
        {
            "containerId": str(package.pk),
            "containerVersion": version,
            "globalLineItemId": str(line.order_line_id),
            "quantity": units,
        }
        for package, line, units in packages
    ]
    return api.post(
        url(job, "/actions"), {"name": f"MOVE_EACHES_TO_PACKING_{name}", "move": {"from": ends, "to": to}}
    )


def test_units_are_moved_between_containers_and_back(api):
    job = started_pack_job(None, 3)
    first, line = job.packages.get(), job.lines.get()
    packing.put(job.pk, line.pk, first.pk, 3, by=None, now=timezone.now())

    new = moved(api, job, "TARGET_CONTAINER", [(first, line, 2)], {"codes": ["OWN-2"]})
    second = job.packages.last()
    to = {"containerId": str(second.pk), "containerVersion": current(job).version}
    known = moved(api, job, "TARGET_CONTAINER", [(first, line, 1)], to)
    back = moved(api, job, "SOURCE_CONTAINER", [(second, line, 2)], {"containerId": "x"})

    assert [answer.status_code for answer in (new, known, back)] == [200, 200, 200]
    assert (second.code, back.json()["lineItems"][0]["packed"]) == ("OWN-2", 1)
    assert contents(job) == [{}, {str(line.pk): 1}]


def test_move_of_an_old_version_or_of_too_much_changes_nothing(api):
    job = started_pack_job(None, 3)
    first, line = job.packages.get(), job.lines.get()
    packing.put(job.pk, line.pk, first.pk, 1, by=None, now=timezone.now())

    much = moved(api, job, "TARGET_CONTAINER", [(first, line, 2)], {"codes": ["OWN-2"]})
    old = moved(api, job, "TARGET_CONTAINER", [(first, line, 1)], {"containerId": "x", "containerVersion": 1})

    assert (much.status_code, much.json()[0]["summary"]) == (422, "NOT_IN_PACKAGE")
    assert old.status_code == 409
    assert contents(job) == [{str(line.pk): 1}]
