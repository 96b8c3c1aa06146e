"""Target containers of programs: which line they mean, and in which order rows are locked."""

import uuid

import pytest
from django.utils import timezone

from fulfillment.core.models.base import LockingQuerySet
from packing import services as packing
from packing.models import PackJob, PackLine
from tests.apiclient import Api
from tests.factories.packing import started_pack_job

pytestmark = pytest.mark.django_db
ADD, UPDATE, REMOVE = (
    "AddLineItemToPackingTargetContainer",
    "UpdateLineItemOnPackingTargetContainer",
    "RemoveLineItemFromPackingTargetContainer",
)


@pytest.fixture
def api(client):
    return Api(client)


@pytest.fixture
def locked(monkeypatch):
    """The models whose rows are locked, in that order."""
    names = []
    lock = LockingQuerySet.lock

    def noting(rows, **lookup):
        names.append(rows.model.__name__)
        return lock(rows, **lookup)

    monkeypatch.setattr(LockingQuerySet, "lock", noting)
    return names


def put(job, line, package, units):
    packing.put(job.pk, line.pk, package.pk, units, by=None, now=timezone.now())


def parted():
    """A job of five units: the three in the first package, and a part of two that is not packed."""
    job = started_pack_job(None, 5)
    line = job.lines.get()
    put(job, line, job.packages.get(), 3)
    packing.split(job.pk, [packing.Split(line.pk, 2, 0)], by=None, now=timezone.now())
    return job, line, job.lines.exclude(pk=line.pk).get()


def patch(api, job, package, **action):
    body = {"version": PackJob.objects.get().version, "actions": [action]}
    return api.patch(f"/api/packjobs/{job.pk}/targetcontainers/{package.pk}", body)


def move(api, job, package, line, units, to):
    version = PackJob.objects.get().version
    source = {
        "containerId": str(package.pk),
        "containerVersion": version,
        "globalLineItemId": str(line.order_line_id),
        "quantity": units,
    }
    name = "MOVE_EACHES_TO_PACKING_TARGET_CONTAINER"
    to = {**to, "containerVersion": version} if "containerId" in to else to
    body = {"name": name, "move": {"from": [source], "to": to}}
    return api.post(f"/api/packjobs/{job.pk}/actions", body)


def contents(package):
    return {item.line_id: item.quantity for item in package.items.all()}


@pytest.mark.parametrize("name", ["originId", "globalLineItemId"])
def test_units_are_added_of_the_part_that_has_some_left(api, name):
    job, line, other = parted()
    package = job.packages.get()
    wanted = {"originId": line.pick_line_id, "globalLineItemId": line.order_line_id}[name]

    answer = patch(api, job, package, action=ADD, lineItem={name: str(wanted), "quantity": 2})

    assert answer.status_code == 200
    assert contents(package) == {line.pk: 3, other.pk: 2}


def test_update_remove_and_move_mean_the_part_in_the_package(api):
    job, line, other = parted()
    package = packing.add_package(job.pk, by=None, now=timezone.now())
    put(job, other, package, 2)
    item = {"globalLineItemId": str(line.order_line_id)}

    patch(api, job, package, action=UPDATE, lineItem={**item, "quantity": 1})
    assert contents(package) == {other.pk: 1}
    patch(api, job, package, action=REMOVE, lineItemRef=str(line.pick_line_id))
    assert contents(package) == {}

    put(job, other, package, 2)
    first = job.packages.get(number=1)
    answer = move(api, job, package, line, 2, {"containerId": str(first.pk)})
    assert answer.status_code == 200
    assert contents(first) == {line.pk: 3, other.pk: 2}


def test_lines_of_one_position_have_an_order():
    job = started_pack_job(None, 5)
    line = job.lines.get()
    copied = {
        "pick_line_id": line.pick_line_id,
        "order_line_id": line.order_line_id,
        "article_id": line.article_id,
    }
    PackLine.objects.create(pk=uuid.UUID(int=1), job=job, split_from=line, quantity=1, **copied)

    assert [one.pk for one in job.lines.all()] == [uuid.UUID(int=1), line.pk]


def test_change_of_a_package_locks_its_order_first(api, locked):
    job = started_pack_job(None, 2)
    package, item = job.packages.get(), {"id": str(job.lines.get().pk), "quantity": 1}
    path = f"/api/packjobs/{job.pk}/targetcontainers"
    steps = {
        "patch": lambda: patch(api, job, package, action=ADD, lineItem=item),
        "add": lambda: api.post(f"{path}/{package.pk}", item),
        "create": lambda: api.post(path, {"codes": ["BOX-2"], "lineItems": []}),
        "move": lambda: move(api, job, package, job.lines.get(), 1, {"codes": ["BOX-3"]}),
        "code": lambda: packing.set_code(job.pk, package.pk, "BOX-4", by=None, now=timezone.now()),
    }
    first = {}

    for name, step in steps.items():
        locked.clear()
        answer = step()
        assert getattr(answer, "status_code", 200) < 300, answer.content
        first[name] = next(model for model in locked if model in {"Order", "PackJob"})

    assert first == dict.fromkeys(steps, "Order")
