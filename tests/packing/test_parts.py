"""One unit in several boxes: it is counted once, and every box that holds a part of it is weighed and shipped."""

import uuid

import pytest
from django.utils import timezone

from packing import queries, scans
from packing import services as packing
from packing.models import PackagePart
from tests.factories.core import ArticleFactory
from tests.factories.packing import started_pack_job
from tests.packing.test_customs import KNOWN, job_to
from tests.packing.test_views import act as post
from tests.packing.test_views import address, text

pytestmark = pytest.mark.django_db
CODE = "4006381333931"


@pytest.fixture
def job(facility, packer):
    article = ArticleFactory(title="Wardrobe", code=CODE, weight_g=40_000)
    return started_pack_job(packer, 2, facility=facility, articles=[article])


def act(job, kind, *, by, **fields):
    action = scans.Action(id=uuid.uuid4(), kind=kind, job=job.pk, **fields)
    return scans.act(action, facility=job.facility, by=by, now=timezone.now())


def who(packer):
    return {"by": packer, "now": timezone.now()}


def parts(job):
    """[(package where units are counted, package where they go on, units)]"""
    found = PackagePart.objects.filter(package__job=job).order_by("item__package__number", "package__number")
    return list(found.values_list("item__package__number", "package__number", "quantity"))


def packed(job):
    return [line.packed for line in job.lines.with_packed()]


def test_article_that_was_scanned_goes_on_in_a_new_package(job, packer):
    act(job, "scan", by=packer, code=CODE)

    answer = act(job, "go_on", by=packer)

    assert (answer.status_code, answer.data["kind"], answer.data["package"]) == (200, "place", 2)
    assert answer.data["text"] == "1 × Wardrobe goes on in package 2."
    assert parts(job) == [(1, 2, 1)]
    assert packed(job) == [1]


def test_article_goes_on_in_as_many_packages_as_it_takes(job, packer):
    act(job, "scan", by=packer, code=CODE)

    act(job, "go_on", by=packer)
    act(job, "go_on", by=packer)

    assert parts(job) == [(1, 2, 1), (1, 3, 1)]
    assert packed(job) == [1]


def test_nothing_goes_on_before_it_is_packed(job, packer):
    answer = act(job, "go_on", by=packer)

    assert (answer.status_code, answer.data["text"]) == (422, str(packing.NothingToGoOn.text))
    assert job.packages.count() == 1


def test_named_units_go_on_in_a_named_package_until_they_do_no_more(job, packer):
    packing.pack_all(job.pk, **who(packer))
    first, other = job.packages.get(), packing.add_package(job.pk, **who(packer))
    fields = {"line": job.lines.get().pk, "package": first.pk, "to_package": other.pk}

    act(job, "go_on", by=packer, quantity=2, **fields)
    assert parts(job) == [(1, 2, 2)]
    act(job, "stay", by=packer, quantity=1, **fields)
    assert parts(job) == [(1, 2, 1)]
    refused = act(job, "stay", by=packer, quantity=2, **fields)

    assert refused.data["text"] == "Wardrobe does not go on in package 2."
    assert parts(job) == [(1, 2, 1)]


@pytest.mark.parametrize(
    ("quantity", "words"),
    [(3, "Only 2 of Wardrobe are in this package."), (0, "The quantity must be at least 1.")],
)
def test_no_more_goes_on_than_is_in_the_package(job, packer, quantity, words):
    packing.pack_all(job.pk, **who(packer))
    fields = {"line": job.lines.get().pk, "package": job.packages.get().pk}

    answer = act(job, "go_on", by=packer, quantity=quantity, **fields)

    assert (answer.status_code, answer.data["text"]) == (422, words)
    assert job.packages.count() == 1


def test_article_does_not_go_on_where_it_is(job, packer):
    packing.pack_all(job.pk, **who(packer))
    package = job.packages.get()

    with pytest.raises(packing.SamePackage):
        packing.go_on(job.pk, job.lines.get().pk, package.pk, package.pk, 1, **who(packer))


def test_undo_takes_back_that_it_goes_on_and_then_the_scan(job, packer):
    act(job, "scan", by=packer, code=CODE)
    act(job, "go_on", by=packer)

    assert act(job, "undo", by=packer).status_code == 200
    assert (parts(job), packed(job)) == ([], [1])
    assert act(job, "undo", by=packer).status_code == 200
    assert packed(job) == [0]


def test_undo_of_stay_lets_it_go_on_again(job, packer):
    act(job, "scan", by=packer, code=CODE)
    act(job, "go_on", by=packer)
    first, other = job.packages.all()
    line = job.lines.get().pk
    act(job, "stay", by=packer, line=line, package=first.pk, to_package=other.pk, quantity=1)

    act(job, "undo", by=packer)

    assert parts(job) == [(1, 2, 1)]


@pytest.mark.parametrize(
    "step",
    [
        lambda job, line, first, third, who: packing.take_out(job, line, first, 1, **who),
        lambda job, line, first, third, who: packing.move(job, line, first, third, 1, **who),
        lambda job, line, first, third, who: packing.count(job, {line: 1}, **who),
    ],
    ids=["take out", "move", "count"],
)
def test_units_that_go_on_elsewhere_stay_in_their_package(job, packer, step):
    packing.pack_all(job.pk, **who(packer))
    line, first = job.lines.get(), job.packages.get()
    _line, other = packing.go_on(job.pk, line.pk, first.pk, None, 2, **who(packer))
    third = packing.add_package(job.pk, **who(packer))

    with pytest.raises(packing.GoesOnElsewhere) as refusal:
        step(job.pk, line.pk, first.pk, third.pk, who(packer))

    assert refusal.value.params == {"title": "Wardrobe", "number": other.number}
    assert packed(job) == [2]


def test_line_with_units_that_go_on_is_split_with_them_or_not_at_all(job, packer):
    packing.pack_all(job.pk, **who(packer))
    line, first = job.lines.get(), job.packages.get()
    packing.go_on(job.pk, line.pk, first.pk, None, 2, **who(packer))

    with pytest.raises(packing.GoesOnElsewhere):
        packing.split(job.pk, [packing.Split(line.pk, 1)], **who(packer))

    assert parts(job) == [(1, 2, 2)]


def test_package_with_a_part_is_weighed_and_kept(job, packer, closings):
    packing.pack_all(job.pk, **who(packer))
    line, first = job.lines.get(), job.packages.get()
    packing.set_weight(job.pk, first.pk, 80_000, **who(packer))
    packing.go_on(job.pk, line.pk, first.pk, None, 1, **who(packer))
    empty = packing.add_package(job.pk, **who(packer))
    work = queries.work(job)

    assert [package.weight_g for package in work.packages] == [
        None,
        None,
        None,
    ]  # less is in the first one now
    assert [(package.units, package.expected_g) for package in work.packages] == [
        (2, None),
        (1, None),
        (0, None),
    ]
    with pytest.raises(packing.WeightMissing):
        packing.close(job.pk, **who(packer))
    with pytest.raises(packing.PackageNotEmpty):
        packing.remove_package(job.pk, work.packages[1].pk, **who(packer))
    for package in work.packages[:2]:
        packing.set_weight(job.pk, package.pk, 30_000, **who(packer))
    packing.close(job.pk, **who(packer))

    assert list(job.packages.values_list("number", flat=True)) == [1, 2]
    assert not job.packages.filter(pk=empty.pk).exists()


def test_goods_that_pass_customs_stay_whole(facility, packer):
    job = job_to("CH", ArticleFactory(title="Wardrobe", **KNOWN), facility=facility)
    packing.start(job.pk, **who(packer))
    packing.pack_all(job.pk, **who(packer))

    with pytest.raises(packing.CustomsWantsWholeUnits):
        packing.go_on(job.pk, job.lines.get().pk, job.packages.get().pk, None, 1, **who(packer))

    assert job.packages.count() == 1


# The page


def test_page_offers_it_for_the_article_that_was_packed_last(client, job, packer):
    client.force_login(packer)
    words = "This article goes on in another package"
    assert words not in text(client.get(address("job-detail", job.pk)))

    page = text(post(client, job, "scan", code=CODE))

    assert words in page


def test_page_shows_where_an_article_goes_on_and_lets_it_stay(client, job, packer):
    client.force_login(packer)
    post(client, job, "scan", code=CODE)

    page = text(post(client, job, "go_on"))

    assert "1 × Wardrobe goes on in package 2." in page
    assert "1 goes on in package 2" in page
    assert "1 × Wardrobe, begun in package 1" in page
    first, other = job.packages.all()
    fields = {"line": job.lines.get().pk, "package": first.pk, "to_package": other.pk, "quantity": 1}
    assert "begun in package 1" not in text(post(client, job, "stay", **fields))


def test_command_code_does_it_without_a_touch_of_the_screen(client, job, packer):
    client.force_login(packer)
    post(client, job, "scan", code=CODE)

    post(client, job, "scan", code="cmd097", package=job.packages.get().pk)

    assert parts(job) == [(1, 2, 1)]
    post(client, job, "scan", code="CMD01P")
    assert parts(job) == []
