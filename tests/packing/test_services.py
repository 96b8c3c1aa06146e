import datetime

import pytest

from fulfillment.core.codes import is_own_code
from fulfillment.core.errors import WrongStatus
from fulfillment.core.models import ArticleCode, StatusChange
from orders.events import OrderCancelled
from orders.models import Order
from packing import services as packing
from packing.models import BoxType, Package, PackageItem, PackJob
from packing.services import work
from picking.events import PickJobClosed
from tests.factories.core import ArticleFactory, FacilityFactory, staff
from tests.factories.packing import box, closed_pick_job, pack_job, packed_job, started_pack_job

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


def contents(job):
    """{package number: {title: units}}"""
    return {
        package.number: {item.line.title: item.quantity for item in package.items.select_related("line")}
        for package in job.packages.all()
    }


def test_closed_pick_job_becomes_a_pack_job_with_what_was_picked(facility):
    pick_job = closed_pick_job(2, 0, 1, facility=facility)

    packing.on_pick_job_closed(PickJobClosed(pick_job.pk), by=None, now=NOON)

    job = PackJob.objects.get()
    assert (job.status, job.short_id, job.facility, job.order) == (
        "OPEN",
        "AS1",
        facility,
        pick_job.order,
    )
    assert [line.quantity for line in job.lines.all()] == [2, 1]
    assert StatusChange.objects.get(entity="packing.packjob").after == "OPEN"


def test_start_gives_the_job_to_the_packer_with_a_first_package(facility, packer):
    job = pack_job(facility=facility)

    packing.start(job.pk, by=packer, now=NOON)

    job.refresh_from_db()
    assert (job.status, job.editor, job.started_at) == ("IN_PROGRESS", packer, NOON)
    assert [package.number for package in job.packages.all()] == [1]
    assert is_own_code(job.packages.get().code, "P")


def test_start_refuses_a_job_that_is_being_packed(facility, packer):
    job = started_pack_job(packer, facility=facility)

    with pytest.raises(WrongStatus):
        packing.start(job.pk, by=staff("packer", facility), now=NOON)

    job.refresh_from_db()
    assert job.editor == packer


def test_paused_job_is_taken_over_with_its_packages(facility, packer):
    job = started_pack_job(packer, facility=facility)
    packing.pack_all(job.pk, by=packer, now=NOON)
    colleague = staff("packer", facility)

    packing.pause(job.pk, by=colleague, now=NOON)
    packing.start(job.pk, by=colleague, now=NOON)

    job.refresh_from_db()
    assert (job.status, job.editor, job.packages.count()) == ("IN_PROGRESS", colleague, 1)
    assert sum(line.packed for line in job.lines.with_packed()) == 3


def test_job_in_hand_is_taken_over_with_its_packages(facility, packer):
    job = started_pack_job(packer, 2, facility=facility)
    package = packing.pack_all(job.pk, by=packer, now=NOON)
    colleague = staff("packer", facility, email="bea@example.com")

    packing.take_over(job.pk, by=colleague, now=NOON)

    job.refresh_from_db()
    assert (job.status, job.editor) == (PackJob.Status.IN_PROGRESS, colleague)
    assert [package.pk] == [kept.pk for kept in job.packages.all()]
    last = list(StatusChange.objects.filter(entity_id=job.pk).order_by("pk"))[-2:]
    assert [(change.after, change.by, change.reason) for change in last] == [
        ("PAUSED", colleague, "Taken over"),
        ("IN_PROGRESS", colleague, ""),
    ]


def test_work_of_who_may_not_pack_any_more_is_put_aside_and_says_so(facility, packer):
    lost = started_pack_job(packer, facility=facility)
    kept = started_pack_job(staff("packer", facility), facility=facility, number="1002")
    of_a_program = packing.start(pack_job(facility=facility, number="1003").pk, by=None, now=NOON)

    assert packing.release_lost(now=NOON) == 0
    packer.memberships.all().delete()
    assert packing.release_lost(now=NOON) == 1

    for job, status in ((lost, "PAUSED"), (kept, "IN_PROGRESS"), (of_a_program, "IN_PROGRESS")):
        job.refresh_from_db()
        assert job.status == status
    change = StatusChange.objects.filter(entity_id=lost.pk).latest("pk")
    assert change.reason == f"{packer} may not pack here any more"


def test_job_stays_with_who_gets_the_permission_back_while_its_lock_is_waited_for(
    facility, packer, monkeypatch
):
    job = started_pack_job(packer, facility=facility)
    role = packer.memberships.get().role
    packer.memberships.all().delete()
    lock = work.lock_for_status

    def lock_late(pk):
        locked = lock(pk)
        packer.memberships.create(facility=facility, role=role)
        return locked

    monkeypatch.setattr(work, "lock_for_status", lock_late)

    assert packing.release_lost(now=NOON) == 0
    job.refresh_from_db()
    assert job.status == PackJob.Status.IN_PROGRESS


def test_take_over_refuses_a_closed_job(facility, packer, closings):
    job = packed_job(packer, facility=facility)

    with pytest.raises(WrongStatus):
        packing.take_over(job.pk, by=packer, now=NOON)

    job.refresh_from_db()
    assert job.status == PackJob.Status.CLOSED


def test_packing_is_refused_before_the_start(facility, packer):
    job = pack_job(facility=facility)

    with pytest.raises(packing.NotInProgress):
        packing.pack_all(job.pk, by=packer, now=NOON)

    assert not Package.objects.exists()


def test_packing_is_refused_to_somebody_else(facility, packer):
    job = started_pack_job(packer, facility=facility)

    with pytest.raises(packing.PackedBySomeoneElse):
        packing.pack_all(job.pk, by=staff("packer", facility), now=NOON)

    assert not PackageItem.objects.exists()


def test_put_spreads_a_line_over_two_packages(facility, packer):
    job = started_pack_job(packer, 3, facility=facility)
    line, first = job.lines.get(), job.packages.get()
    second = packing.add_package(job.pk, by=packer, now=NOON)

    packing.put(job.pk, line.pk, first.pk, 1, by=packer, now=NOON)
    packing.put(job.pk, line.pk, first.pk, 1, by=packer, now=NOON)
    packing.put(job.pk, line.pk, second.pk, 1, by=packer, now=NOON)

    assert contents(job) == {1: {line.title: 2}, 2: {line.title: 1}}


@pytest.mark.parametrize(("units", "refusal"), [(0, packing.QuantityTooSmall), (4, packing.TooManyUnits)])
def test_put_refuses_a_quantity_that_cannot_be(facility, packer, units, refusal):
    job = started_pack_job(packer, 3, facility=facility)

    with pytest.raises(refusal):
        packing.put(job.pk, job.lines.get().pk, job.packages.get().pk, units, by=packer, now=NOON)

    assert not PackageItem.objects.exists()


def test_put_forgets_the_weight_of_the_package(facility, packer):
    job = started_pack_job(packer, 2, facility=facility)
    line, package = job.lines.get(), job.packages.get()
    packing.put(job.pk, line.pk, package.pk, 1, by=packer, now=NOON)
    packing.set_weight(job.pk, package.pk, 400, by=packer, now=NOON)

    packing.put(job.pk, line.pk, package.pk, 1, by=packer, now=NOON)

    package.refresh_from_db()
    assert package.weight_g is None


def test_take_out_lowers_and_then_removes_the_units(facility, packer):
    job = started_pack_job(packer, 2, facility=facility)
    line, package = job.lines.get(), packing.pack_all(job.pk, by=packer, now=NOON)

    packing.take_out(job.pk, line.pk, package.pk, 1, by=packer, now=NOON)
    assert contents(job) == {1: {line.title: 1}}
    packing.take_out(job.pk, line.pk, package.pk, 1, by=packer, now=NOON)
    assert contents(job) == {1: {}}

    with pytest.raises(packing.NotInPackage):
        packing.take_out(job.pk, line.pk, package.pk, 1, by=packer, now=NOON)


def test_scan_puts_one_unit_into_the_package(facility, packer):
    article = ArticleFactory(code="4006381333931")
    job = started_pack_job(packer, 2, facility=facility, articles=[article])

    packing.scan(job.pk, "]E04006381333931", job.packages.get().pk, by=packer, now=NOON)

    assert contents(job) == {1: {article.title: 1}}


def test_scan_of_a_carton_puts_its_units(facility, packer):
    article = ArticleFactory(code="4006381333931")
    ArticleCode.objects.create(article=article, code="14006381333938", units=6)
    job = started_pack_job(packer, 6, facility=facility, articles=[article])

    packing.scan(job.pk, "(01)14006381333938", job.packages.get().pk, by=packer, now=NOON)

    assert contents(job) == {1: {article.title: 6}}


def test_scan_fills_the_lines_of_one_article_in_their_order(facility, packer):
    article = ArticleFactory(code="4006381333931")
    job = started_pack_job(packer, 1, 2, facility=facility, articles=[article, article])

    for _unit in range(2):
        packing.scan(job.pk, "4006381333931", job.packages.get().pk, by=packer, now=NOON)

    assert [line.packed for line in job.lines.with_packed()] == [1, 1]


def test_scan_takes_a_code_the_shop_sent_with_the_order(facility, packer):
    job = started_pack_job(packer, 1, facility=facility)
    order_line = job.lines.get().order_line
    order_line.scannable_codes = ["SHOP-7"]
    order_line.save()

    packing.scan(job.pk, "SHOP-7", job.packages.get().pk, by=packer, now=NOON)

    assert [line.packed for line in job.lines.with_packed()] == [1]


def test_scan_refuses_what_is_unknown_foreign_or_too_many(facility, packer):
    article, foreign = ArticleFactory(code="4006381333931"), ArticleFactory(code="8710398500014")
    job = started_pack_job(packer, 1, facility=facility, articles=[article])
    package = job.packages.get()
    packing.scan(job.pk, "4006381333931", package.pk, by=packer, now=NOON)

    for code, refusal in [
        ("999", packing.UnknownCode),
        (foreign.codes.get().code, packing.NotOnThisJob),
        ("4006381333931", packing.TooManyUnits),
    ]:
        with pytest.raises(refusal):
            packing.scan(job.pk, code, package.pk, by=packer, now=NOON)

    assert contents(job) == {1: {article.title: 1}}


def test_pack_all_puts_the_rest_into_the_named_package(facility, packer):
    job = started_pack_job(packer, 2, 1, facility=facility)
    first_line, second_line = job.lines.all()
    packing.put(job.pk, first_line.pk, job.packages.get().pk, 1, by=packer, now=NOON)
    second = packing.add_package(job.pk, by=packer, now=NOON)

    packing.pack_all(job.pk, second.pk, by=packer, now=NOON)

    assert contents(job) == {1: {first_line.title: 1}, 2: {first_line.title: 1, second_line.title: 1}}


def test_remove_package_refuses_a_full_one(facility, packer):
    job = started_pack_job(packer, facility=facility)
    full = packing.pack_all(job.pk, by=packer, now=NOON)
    empty = packing.add_package(job.pk, by=packer, now=NOON)

    packing.remove_package(job.pk, empty.pk, by=packer, now=NOON)
    with pytest.raises(packing.PackageNotEmpty):
        packing.remove_package(job.pk, full.pk, by=packer, now=NOON)

    assert list(job.packages.all()) == [full]


@pytest.mark.parametrize("step", [packing.pack_all, packing.remove_package])
def test_package_that_a_colleague_removed_is_refused_in_words(facility, packer, step):
    job = started_pack_job(packer, facility=facility)
    gone = packing.add_package(job.pk, by=packer, now=NOON)
    packing.remove_package(job.pk, gone.pk, by=packer, now=NOON)

    with pytest.raises(packing.PackageGone):
        step(job.pk, gone.pk, by=packer, now=NOON)


@pytest.mark.parametrize("grams", [500, 3000])
def test_unlikely_weight_is_refused_until_it_is_confirmed(facility, packer, grams):
    job = started_pack_job(packer, 2, 1, facility=facility)  # 900 g of articles
    package = packing.pack_all(job.pk, by=packer, now=NOON)

    with pytest.raises(packing.WeightUnlikely) as refusal:
        packing.set_weight(job.pk, package.pk, grams, by=packer, now=NOON)
    packing.set_weight(job.pk, package.pk, grams, confirmed=True, by=packer, now=NOON)

    package.refresh_from_db()
    assert package.weight_g == grams
    assert refusal.value.params == {"grams": grams, "expected": 900}


def test_weight_is_not_doubted_when_an_article_has_none(facility, packer):
    job = started_pack_job(packer, 1, facility=facility, articles=[ArticleFactory(weight_g=None)])
    package = packing.pack_all(job.pk, by=packer, now=NOON)

    packing.set_weight(job.pk, package.pk, 9000, by=packer, now=NOON)

    package.refresh_from_db()
    assert package.weight_g == 9000


@pytest.mark.parametrize("grams", [0, 1_000_001])
def test_weight_out_of_range_is_refused_even_when_confirmed(facility, packer, grams):
    job = started_pack_job(packer, facility=facility)
    package = packing.pack_all(job.pk, by=packer, now=NOON)

    with pytest.raises(packing.WeightOutOfRange):
        packing.set_weight(job.pk, package.pk, grams, confirmed=True, by=packer, now=NOON)


def test_empty_package_is_not_weighed(facility, packer):
    job = started_pack_job(packer, facility=facility)

    with pytest.raises(packing.PackageEmpty):
        packing.set_weight(job.pk, job.packages.get().pk, 500, by=packer, now=NOON)


def test_close_drops_empty_packages_and_announces_it(facility, packer, closings):
    job = started_pack_job(packer, facility=facility)
    package = packing.pack_all(job.pk, by=packer, now=NOON)
    packing.set_weight(job.pk, package.pk, 1000, by=packer, now=NOON)
    packing.add_package(job.pk, by=packer, now=NOON)

    packing.close(job.pk, by=packer, now=NOON)

    job.refresh_from_db()
    assert (job.status, job.closed_at) == ("CLOSED", NOON)
    assert list(job.packages.all()) == [package]
    assert closings == [job.pk]
    assert StatusChange.objects.filter(entity_id=job.pk).latest("pk").after == "CLOSED"


def test_close_refuses_units_that_are_not_packed(facility, packer, closings):
    job = started_pack_job(packer, facility=facility)

    with pytest.raises(packing.UnitsLeft) as refusal:
        packing.close(job.pk, by=packer, now=NOON)

    job.refresh_from_db()
    assert (job.status, refusal.value.params, closings) == ("IN_PROGRESS", {"units": 3}, [])


def test_close_refuses_a_parcel_without_weight(facility, packer, closings):
    job = started_pack_job(packer, facility=facility)
    packing.pack_all(job.pk, by=packer, now=NOON)

    with pytest.raises(packing.WeightMissing):
        packing.close(job.pk, by=packer, now=NOON)

    assert closings == []


def test_bags_for_collection_need_no_weight(facility, packer, closings):
    job = started_pack_job(packer, facility=facility, kind=Order.Kind.COLLECT)
    packing.pack_all(job.pk, by=packer, now=NOON)

    packing.close(job.pk, by=packer, now=NOON)

    assert closings == [job.pk]


def test_close_refuses_a_closed_job(facility, packer, closings):
    job = started_pack_job(packer, facility=facility, kind=Order.Kind.COLLECT)
    packing.pack_all(job.pk, by=packer, now=NOON)
    packing.close(job.pk, by=packer, now=NOON)

    with pytest.raises(packing.NotInProgress):
        packing.close(job.pk, by=packer, now=NOON)

    assert closings == [job.pk]


def test_cancelled_order_cancels_its_open_pack_job(facility):
    job = pack_job(facility=facility)

    packing.on_order_cancelled(OrderCancelled(job.order_id), by=None, now=NOON)

    job.refresh_from_db()
    assert job.status == "CANCELED"


def test_packed_order_cannot_be_cancelled(facility, packer, closings):
    job = started_pack_job(packer, facility=facility, kind=Order.Kind.COLLECT)
    packing.pack_all(job.pk, by=packer, now=NOON)
    packing.close(job.pk, by=packer, now=NOON)

    with pytest.raises(packing.AlreadyPacked):
        packing.on_order_cancelled(OrderCancelled(job.order_id), by=None, now=NOON)


# Boxes


def test_start_opens_one_package_when_nothing_can_be_proposed(facility, packer):
    box("S", 250, 200, 100)
    box("L", 600, 400, 400)
    job = started_pack_job(packer, 1, facility=facility, articles=[ArticleFactory(length_mm=None)])

    assert [package.box_type for package in job.packages.all()] == [None]


def test_only_box_is_taken_by_itself(facility, packer):
    only = box("S", 10, 10, 10)  # nothing fits, but there is no other
    job = started_pack_job(packer, 1, facility=facility)

    another = packing.add_package(job.pk, by=packer, now=NOON)

    assert [package.box_type for package in (job.packages.first(), another)] == [only, only]


def test_box_that_is_not_used_here_is_refused(facility, packer):
    foreign, old = box("F", facility=FacilityFactory()), box("O", is_active=False)
    job = started_pack_job(packer, 1, facility=facility)

    for wrong in (foreign.pk, old.pk, job.pk):
        with pytest.raises(packing.UnknownBox):
            packing.choose_box(job.pk, job.packages.get().pk, wrong, by=packer, now=NOON)

    assert job.packages.get().box_type is None


def test_another_box_must_be_weighed_anew(facility, packer):
    box("S")
    large = box("L", 600, 400, 400, tare_g=900)
    job = started_pack_job(packer, 1, facility=facility)
    package = packing.pack_all(job.pk, by=packer, now=NOON)
    packing.set_weight(job.pk, package.pk, 400, by=packer, now=NOON)

    packing.choose_box(job.pk, package.pk, large.pk, by=packer, now=NOON)

    package.refresh_from_db()
    assert package.weight_g is None
    with pytest.raises(packing.WeightUnlikely) as refusal:
        packing.set_weight(job.pk, package.pk, 400, by=packer, now=NOON)
    assert refusal.value.params["expected"] == 1200


def test_tolerance_is_the_facilitys(facility, packer):
    box("S", tare_g=100)
    facility.weight_tolerance_percent, facility.weight_tolerance_g = 50, 0
    facility.save(update_fields=["weight_tolerance_percent", "weight_tolerance_g"])
    job = started_pack_job(packer, 3, facility=facility)  # 900 g and 100 g
    package = packing.pack_all(job.pk, by=packer, now=NOON)

    packing.set_weight(job.pk, package.pk, 1500, by=packer, now=NOON)
    with pytest.raises(packing.WeightUnlikely):
        packing.set_weight(job.pk, package.pk, 1501, by=packer, now=NOON)


def test_weight_over_the_limit_is_refused_even_when_confirmed(facility, packer):
    box("S", most_g=1_000)
    job = started_pack_job(packer, 1, facility=facility)
    package = packing.pack_all(job.pk, by=packer, now=NOON)

    with pytest.raises(packing.OverBoxLimit):
        packing.set_weight(job.pk, package.pk, 1_001, confirmed=True, by=packer, now=NOON)
    with pytest.raises(packing.WeightOutOfRange):
        packing.set_weight(job.pk, package.pk, 0, confirmed=True, by=packer, now=NOON)

    package.refresh_from_db()
    assert package.weight_g is None


def test_estimated_weight_counts_the_box_and_its_limit(facility, closings):
    box("S", tare_g=150, most_g=1_000)
    job = started_pack_job(None, 2, facility=facility)
    package = packing.pack_all(job.pk, by=None, now=NOON)
    packing.close(job.pk, by=None, now=NOON, is_weight_estimated=True)
    heavy = started_pack_job(None, 2, facility=facility, number="2")
    BoxType.objects.update(most_g=200)
    packing.pack_all(heavy.pk, by=None, now=NOON)

    with pytest.raises(packing.OverBoxLimit):
        packing.close(heavy.pk, by=None, now=NOON, is_weight_estimated=True)

    package.refresh_from_db()
    assert package.weight_g == 750
