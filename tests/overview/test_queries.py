import datetime
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fulfillment.core.models import OutboxEntry
from fulfillment.overview import queries
from fulfillment.overview.queries import Flag, ProcessStatus
from orders.models import Order, ShortRecord
from picking.models import PickJob
from tests.factories.core import FacilityFactory, staff
from tests.factories.orders import OrderFactory
from tests.factories.stages import NOON, Stages

pytestmark = pytest.mark.django_db


def read(order):
    order = queries.with_process_status(Order.objects.for_list()).get(pk=order.pk)
    return queries.processes([order], NOON)[order.pk]


def test_process_follows_the_stages():
    assert read(Stages().order).status == ProcessStatus.CREATED
    assert read(Stages().plan("RETRYABLE").order).status == ProcessStatus.CREATED
    assert read(Stages().plan("NOT_ROUTABLE").order).status == ProcessStatus.ERROR
    assert read(Stages().plan().pick().order).status == ProcessStatus.IN_PROGRESS
    assert read(Stages().plan().pick("CLOSED", 3).pack("OPEN").order).status == ProcessStatus.IN_PROGRESS
    packed = Stages().plan().pick("CLOSED", 3).pack()
    assert read(packed.ship("REQUEST", "FAILED", None).order).status == ProcessStatus.ERROR
    packed = Stages().plan().pick("CLOSED", 3).pack()
    assert read(packed.ship("CONFIRMED", "DONE", "OPEN").order).status == ProcessStatus.IN_PROGRESS


def test_process_of_a_finished_order_counts_every_unit():
    process = read(Stages().plan().pick("CLOSED", 3).pack().ship().order)

    assert process.status == ProcessStatus.FINISHED
    assert (process.ordered, process.routed, process.picked) == (3, 3, 3)
    assert (process.packed, process.handed_over, process.short) == (3, 3, 0)
    assert process.flags == []


def test_process_flags_what_is_missing():
    process = read(Stages().plan().pick("CLOSED", 2, 1).pack(units=2).ship().order)

    assert (process.status, process.handed_over, process.short) == (ProcessStatus.FINISHED, 2, 1)
    assert process.flags == [Flag.MISMATCH]


@pytest.mark.parametrize(("hours", "flags"), [(-1, [Flag.DELAYED]), (2, [Flag.AT_RISK]), (9, [])])
def test_process_flags_time(hours, flags):
    target = (NOON + datetime.timedelta(hours=hours)).isoformat()

    assert read(OrderFactory(deliveryPreferences={"targetTime": target})).flags == flags


@pytest.mark.parametrize("status", ["RETRYABLE", "WAITING", "NOT_ROUTABLE"])
def test_process_flags_what_has_no_facility(status):
    assert read(Stages().plan(status).order).flags == [Flag.NOT_PLACED]


def test_processes_take_the_same_queries_for_more_orders():
    counts = []
    for number in (1, 3):
        for _order in range(number):
            Stages().plan().pick("CLOSED", 3).pack().ship()
        with CaptureQueriesContext(connection) as captured:
            queries.processes(list(queries.with_process_status(Order.objects.all())), NOON)
        counts.append(len(captured))

    assert counts[0] == counts[1]


def test_search_finds_by_everything_on_paper():
    stages = Stages(tenantOrderId="WEB-4711", address={"lastName": "Jansen"}).plan().pick()
    OrderFactory()
    order = stages.order

    for text in ("4711", "jansen", stages.article.sku.lower(), "av1", str(order.pk), str(order.process_id)):
        assert list(queries.search(Order.objects.all(), text)) == [order], text
    assert not queries.search(Order.objects.all(), str(uuid.uuid4())).exists()


def test_parts_gather_what_each_facility_did():
    stages = Stages().plan().pick("CLOSED", 3).pack().ship()

    (part,) = queries.parts(stages.order)

    assert part.plan == stages.plan_
    assert (part.pick_job, part.pack_job) == (stages.job, stages.pack_job)
    assert part.parcels == [stages.parcel]
    assert [job.parcel for job in part.handovers] == [stages.parcel]


def test_work_counts_what_waits_at_the_facility():
    stages = Stages().plan().pick("CLOSED", 2, 1).pack().ship("REQUEST", "FAILED", None)
    user = staff("picker", stages.facility)
    ShortRecord.objects.update(recorded_at=NOON)

    work = queries.work_of(stages.facility, user, NOON)

    assert (work.pick, work.pack, work.label_problems, work.handover) == (0, 0, 1, 0)
    assert [short.reason_label for short in work.shorts] == ["Not found"]
    assert queries.work_of(stages.facility, user, NOON + datetime.timedelta(days=1)).shorts == []
    assert queries.work_of(FacilityFactory(), user, NOON).label_problems == 0


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("ABORTED", "The pick job was given up."),
        ("CONSUMER_NO_SHOW", "Customer did not come"),
        ("REFUSED", "The customer did not take it."),
        ("MISSING", "Packed, and not there any more"),
        ("DAMAGED", "Damaged"),
        ("LOST_AT_SEA", "LOST_AT_SEA"),
    ],
)
def test_reason_of_missing_units_is_said_in_words(reason, words):
    [short] = queries.name_reasons([ShortRecord(reason=reason)])

    assert short.reason_label == words


def test_work_offers_the_own_job_first():
    mine = Stages().plan()
    user = staff("picker", mine.facility)
    mine.pick("IN_PROGRESS")
    PickJob.objects.filter(pk=mine.job.pk).update(editor=user)

    work = queries.work_of(mine.facility, user, NOON)

    assert work.pick_mine == mine.job
    assert work.pick_next is None


def test_parked_and_late_work_is_listed():
    now = timezone.now()
    fields = {"event": "OrderPlaced", "payload": {}, "handler": "x", "lane": "routing"}
    failed = OutboxEntry.objects.create(**fields, state="FAILED")
    OutboxEntry.objects.create(**fields, due_at=now - datetime.timedelta(minutes=5))
    OutboxEntry.objects.create(**fields, due_at=now)

    assert list(queries.parked_work()) == [failed]
    assert [(row["lane"], row["entries"]) for row in queries.waiting_work(now)] == [("routing", 1)]
