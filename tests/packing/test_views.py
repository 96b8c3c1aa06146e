import re
import uuid

import pytest
from django.urls import reverse
from django.utils import timezone

from orders.models import Order
from packing import services as packing
from packing.models import BoxType, PackageItem, PackJob
from picking import load_units, runs
from picking import services as picking
from tests.factories.core import ArticleFactory, FacilityFactory, StorageLocationFactory, staff
from tests.factories.packing import box, pack_job, started_pack_job
from tests.factories.runs import job_of, run_of, shelf

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(client, packer):
    client.force_login(packer)
    return client


def address(name, *args):
    return reverse(f"packing:{name}", args=["here", *args])


def text(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def primary(response):
    """The words of the one primary button of the page."""
    button = r"<(?:button|a)\b[^>]*class=\"btn btn-primary[^>]*>(.*?)</(?:button|a)>"
    [words] = re.findall(button, response.content.decode(), re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", "", words).split())


def act(client, job, kind, *, follow=True, headers=None, **fields):
    """Send a form of the page as its button does."""
    data = {"id": uuid.uuid4(), "kind": kind, **fields}
    return client.post(address("job-act", job.pk), data, follow=follow, headers=headers)


def test_list_offers_the_most_urgent_job_first(client, facility, packer):
    pack_job(facility=facility)

    assert primary(client.get(address("job-list"))) == "Next job"
    mine = started_pack_job(packer, facility=facility, number="1002")
    page = client.get(address("job-list"))

    assert primary(page) == "Continue packing"
    assert page.context["next_job"] == mine


def test_list_is_empty_without_jobs(client):
    assert "Nothing to pack" in text(client.get(address("job-list")))


def test_list_needs_the_same_queries_for_one_and_for_three(
    client, facility, django_assert_num_queries, django_assert_max_num_queries
):
    pack_job(facility=facility)
    client.get(address("job-list"))
    with django_assert_max_num_queries(12) as queries:
        client.get(address("job-list"))
    pack_job(facility=facility, number="1002")
    pack_job(facility=facility, number="1003")

    with django_assert_num_queries(len(queries)):
        client.get(address("job-list"))


@pytest.mark.parametrize("code", ["AS1", "as1", "1001", "4006381333931", "]E04006381333931", "LAMP"])
def test_scanned_code_opens_its_job(client, facility, code):
    article = ArticleFactory(sku="LAMP", code="4006381333931")
    job = pack_job(1, facility=facility, articles=[article])

    response = client.get(address("job-list"), {"code": code})

    assert response.url == address("job-detail", job.pk)


def test_package_code_opens_its_job(client, facility, packer):
    job = started_pack_job(packer, facility=facility)

    response = client.get(address("job-list"), {"code": job.packages.get().code})

    assert response.url == address("job-detail", job.pk)


def test_code_of_several_jobs_shows_them_and_of_none_says_so(client, facility):
    article = ArticleFactory(sku="LAMP")
    for number in ("1001", "1002"):
        pack_job(1, facility=facility, articles=[article], number=number)
    pack_job(1, facility=facility, number="1003")

    several = client.get(address("job-list"), {"code": "LAMP"})
    none = client.get(address("job-list"), {"code": "nothing"})

    assert len(several.context["page"].object_list) == 2
    assert "Nothing to pack has the code nothing." in text(none)


def test_job_of_another_facility_is_not_found(client):
    job = pack_job(facility=FacilityFactory())

    assert client.get(address("job-detail", job.pk)).status_code == 404
    assert client.post(address("job-start", job.pk)).status_code == 404


def test_pages_need_the_permission_to_pack(client, facility):
    client.force_login(staff("picker", facility))

    assert client.get(address("job-list")).status_code == 403


def test_job_is_packed_with_plain_forms_and_the_next_step_always_named(client, facility, closings):
    article = ArticleFactory(sku="LAMP", title="Lamp", code="4006381333931", weight_g=400)
    job = pack_job(2, facility=facility, articles=[article])
    page = client.get(address("job-detail", job.pk))
    assert primary(page) == "Start packing"

    page = client.post(address("job-start", job.pk), follow=True)
    assert primary(page) == "Pack everything into package 1"
    package = job.packages.get()
    page = act(client, job, "scan", code="4006381333931", package=package.pk)
    assert "Undo: 1 × Lamp in package 1." in text(page)
    assert "1 of 2" in text(page)
    page = act(client, job, "put", line=job.lines.get().pk, quantity=1, package=package.pk)
    assert "Everything is packed" in text(page)
    assert primary(page) == "Save weight of package 1"
    page = client.post(address("package-weight", job.pk, package.pk), {"grams": 900}, follow=True)
    assert primary(page) == "Close and get label"
    response = client.post(address("job-close", job.pk))

    assert "notice-good" not in client.get(response.url).content.decode()  # the labels say it in a moment
    assert response.url == reverse("shipping:pack-done", args=["here", job.pk])
    assert closings == [job.pk]


def test_collected_order_is_finished_without_weights(client, facility, packer, closings):
    job = started_pack_job(packer, facility=facility, kind=Order.Kind.COLLECT)

    page = client.post(address("job-pack-all", job.pk), follow=True)
    assert primary(page) == "Finish"
    assert "Weight in grams" not in text(page)
    client.post(address("job-close", job.pk))

    assert closings == [job.pk]


def test_last_step_can_be_undone(client, facility, packer):
    job = started_pack_job(packer, 3, facility=facility)
    line, package = job.lines.get(), job.packages.get()
    page = act(client, job, "put", line=line.pk, quantity=2, package=package.pk)
    assert page.context["undo"] == f"2 × {line.title} in package 1."

    page = act(client, job, "undo")

    assert not PackageItem.objects.exists()
    assert page.context["undo"] is None


def test_undo_says_what_it_takes_back_and_nothing_more(client, facility, packer):
    job = started_pack_job(packer, 1, facility=facility)
    line, package = job.lines.get(), job.packages.get()

    page = act(client, job, "put", line=line.pk, quantity=1, package=package.pk)

    assert page.context["undo"] == f"1 × {line.title} in package 1."


def test_form_sent_twice_packs_once(client, facility, packer):
    job = started_pack_job(packer, 3, facility=facility)
    line, package = job.lines.get(), job.packages.get()
    form = {"line": line.pk, "quantity": 1, "package": package.pk, "id": uuid.uuid4(), "kind": "put"}

    for _click in range(2):
        client.post(address("job-act", job.pk), form)

    assert PackageItem.objects.get().quantity == 1


def test_page_has_an_id_of_its_own_for_every_form(client, facility, packer):
    page = client.get(address("job-detail", started_pack_job(packer, 3, 1, facility=facility).pk))

    ids = re.findall(r'name="id" value="([^"]+)"', page.content.decode())
    assert len(ids) == len(set(ids)) == 3


def test_packages_are_added_chosen_and_removed(client, facility, packer):
    job = started_pack_job(packer, facility=facility)
    client.post(address("package-add", job.pk))
    first, second = job.packages.all()

    page = client.get(address("job-detail", job.pk), {"package": 1})
    assert page.context["work"].current == first
    client.post(address("package-remove", job.pk, second.pk))

    assert list(job.packages.all()) == [first]


def test_unlikely_weight_has_to_be_confirmed(client, facility, packer):
    job = started_pack_job(packer, 1, facility=facility)  # 300 g
    package = packing.pack_all(job.pk, by=packer, now=job.started_at)

    page = client.post(address("package-weight", job.pk, package.pk), {"grams": 30000})
    assert page.status_code == 422
    assert "It should weigh about 300 g." in text(page)
    assert "Confirm this weight" in text(page)
    client.post(address("package-weight", job.pk, package.pk), {"grams": 30000, "confirmed": "true"})

    package.refresh_from_db()
    assert package.weight_g == 30000


@pytest.mark.parametrize("grams", ["", "0", "heavy", "-5", "99999999999", "0.0 kg"])
def test_weight_that_is_none_is_refused_at_its_field(client, facility, packer, grams):
    job = started_pack_job(packer, 1, facility=facility)
    package = packing.pack_all(job.pk, by=packer, now=job.started_at)

    page = client.post(address("package-weight", job.pk, package.pk), {"grams": grams})

    assert page.status_code == 422
    package.refresh_from_db()
    assert package.weight_g is None


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("job-act", {"kind": "scan", "code": "", "package": "x"}),
        ("job-act", {}),
        ("job-act", {"id": "x", "kind": "put"}),
        ("job-pack-all", {"package": "x"}),
        ("job-act", {"id": str(uuid.uuid4()), "kind": "scan", "code": "x" * 300}),
        ("job-act", {"id": str(uuid.uuid4()), "kind": "put"}),
        ("job-act", {"id": str(uuid.uuid4()), "kind": "move"}),
    ],
)
def test_broken_input_changes_nothing_and_breaks_nothing(client, facility, packer, name, data):
    job = started_pack_job(packer, facility=facility)

    response = client.post(address(name, job.pk), data)

    assert response.status_code == 302
    assert not PackageItem.objects.exists()


def test_detail_survives_any_address(client, facility, packer):
    job = started_pack_job(packer, facility=facility)

    for query in ["package=x", "package=99", "line=x&units=1", "units=-1", "package=1&units=" + "9" * 30]:
        assert client.get(f"{address('job-detail', job.pk)}?{query}").status_code == 200


def test_refused_scan_says_why_on_the_page(client, facility, packer):
    job = started_pack_job(packer, facility=facility)

    page = act(client, job, "scan", code="999", package=job.packages.get().pk)

    assert "No article has the code 999." in text(page)


def test_htmx_gets_the_working_area_and_the_next_step(client, facility, packer):
    job = started_pack_job(packer, 1, facility=facility)
    fields = {"code": job.lines.get().article.sku, "package": job.packages.get().pk}

    page = act(client, job, "scan", headers={"HX-Request": "true"}, **fields)

    body = page.content.decode()
    assert page.status_code == 200
    assert "<html" not in body
    assert re.search(r'id="next-step"\s+hx-swap-oob="true"', body)
    assert primary(page) == "Save weight of package 1"


def test_htmx_hears_of_a_refusal_above_the_work(client, facility, packer):
    job = started_pack_job(packer, facility=facility)

    page = act(client, job, "scan", code="999", headers={"HX-Request": "true"})

    assert page.status_code == 200
    assert "No article has the code 999." in text(page)


# Boxes


def test_two_boxes_are_proposed_and_filled_as_proposed(client, facility, packer):
    chair = ArticleFactory(title="Chair", length_mm=590, width_mm=390, height_mm=390, weight_g=6000)
    box("S", 250, 200, 100)
    box("L", 600, 400, 400)
    job = pack_job(1, 2, facility=facility, articles=[chair, ArticleFactory(title="Mug")])

    page = client.post(address("job-start", job.pk), follow=True)
    assert primary(page) == "Pack everything into these 2 packages"
    assert "Package 1 · L" in text(page)
    page = client.post(address("job-pack-all", job.pk), {"as_proposed": "true"}, follow=True)

    packed = {
        package.number: {item.line.title: item.quantity for item in package.items.all()}
        for package in job.packages.all()
    }
    assert packed == {1: {"Chair": 1}, 2: {"Mug": 2}}
    assert page.context["work"].packages[0].form.initial == {"grams": 6100}


def test_packer_takes_another_box(client, facility, packer):
    small, large = box("S", 250, 200, 100), box("L", 600, 400, 400, facility=facility)
    box("Elsewhere", 300, 200, 100, facility=FacilityFactory())
    job = started_pack_job(packer, 1, facility=facility)
    package = job.packages.get()
    assert package.box_type == small

    page = client.get(address("job-detail", job.pk))
    names = [label for _value, label in page.context["work"].packages[0].box_form.fields["box"].choices]
    assert names == ["Another box", "S · 25 × 20 × 10 cm", "L · 60 × 40 × 40 cm"]
    client.post(address("package-box", job.pk, package.pk), {"box": large.pk})

    package.refresh_from_db()
    assert (package.box_type, package.length_mm, package.width_mm) == (large, 606, 406)


def test_weight_over_the_limit_of_the_box_cannot_be_confirmed(client, facility, packer):
    box("S", most_g=5_000)
    job = started_pack_job(packer, 1, facility=facility)
    package = packing.pack_all(job.pk, by=packer, now=job.started_at)

    for confirmed in ("", "true"):
        page = client.post(
            address("package-weight", job.pk, package.pk), {"grams": "5.001 kg", "confirmed": confirmed}
        )
        assert page.status_code == 422
        assert "S takes at most 5000 g." in text(page)
        assert "Confirm this weight" not in text(page)


def test_package_that_grows_too_heavy_is_marked(client, facility, packer):
    box("S", most_g=1_000)
    box("L", 600, 400, 400)
    job = started_pack_job(packer, 4, facility=facility)  # 4 × 300 g
    [package] = job.packages.all()
    small = BoxType.objects.get(name="S")
    packing.choose_box(job.pk, package.pk, small.pk, by=packer, now=job.started_at)
    packing.pack_all(job.pk, by=packer, now=job.started_at)

    page = client.get(address("job-detail", job.pk))

    assert "Too heavy: about 1.3 kg, this box takes 1 kg." in text(page)


def test_no_button_packs_by_hand_where_each_unit_is_scanned(client, facility, packer):
    facility.pack_scan = "MUST_SCAN_EACH"
    facility.save(update_fields=["pack_scan"])
    job = started_pack_job(packer, 2, facility=facility)

    page = client.get(address("job-detail", job.pk))

    assert primary(page) == "Scan 2 more units"
    assert 'value="put"' not in page.content.decode()


def test_colleague_sees_who_packs_and_can_pause(client, facility, packer):
    job = started_pack_job(packer, facility=facility)
    client.force_login(staff("packer", facility, email="bea@example.com"))

    page = client.get(address("job-detail", job.pk))
    assert f"{packer} is packing this order." in text(page)
    assert "Pack everything" not in text(page)
    client.post(address("job-pause", job.pk))

    assert PackJob.objects.get().status == "PAUSED"


def test_colleague_takes_over_after_a_question(client, facility, packer):
    job = started_pack_job(packer, facility=facility)
    bea = staff("packer", facility, email="bea@example.com")
    client.force_login(bea)

    page = client.get(address("job-detail", job.pk))
    assert "Take over" in text(page)
    assert f'data-confirm="{packer} is packing this order. Take it over?' in page.content.decode()
    page = client.post(address("job-take-over", job.pk), follow=True)

    assert "AS1 is yours now." in text(page)
    assert "Pack everything into package 1" in text(page)
    assert PackJob.objects.get().editor == bea


def test_job_that_another_system_packs_has_a_name_for_it(client, facility):
    job = started_pack_job(None, facility=facility)

    assert "Another system is packing this order." in text(client.get(address("job-detail", job.pk)))


def test_detail_needs_the_same_queries_for_one_and_for_three_lines(
    client, facility, packer, django_assert_num_queries, django_assert_max_num_queries
):
    one, three = (
        started_pack_job(packer, 1, facility=facility),
        started_pack_job(packer, 1, 1, 1, facility=facility, number="1002"),
    )
    for job in (one, three):
        packing.pack_all(job.pk, by=packer, now=job.started_at)
    client.get(address("job-detail", one.pk))
    with django_assert_max_num_queries(14) as queries:
        client.get(address("job-detail", one.pk))

    with django_assert_num_queries(len(queries)):
        client.get(address("job-detail", three.pk))


# Totes


def test_tote_finds_what_is_in_it_and_the_page_says_where_it_stands(client, facility, packer):
    job, _other = pack_job(2, facility=facility), pack_job(1, facility=facility, number="1002")
    place = StorageLocationFactory(facility=facility, name="P-07")
    (tote,) = load_units.create(facility, by=None, now=timezone.now())
    load_units.assign(tote.pk, job.pick_job_id, by=None, now=timezone.now())
    load_units.put(tote.pk, place, by=None, now=timezone.now())
    client.force_login(packer)

    answer = client.get(reverse("packing:job-list", args=[facility.slug]), {"code": tote.code.lower()})

    assert answer.url == reverse("packing:job-detail", args=[facility.slug, job.pk])
    page = client.get(answer.url).content.decode()
    assert tote.tail in page
    assert "P-07" in page


def test_tote_of_a_batch_opens_the_page_that_sorts_it(client, facility, packer):
    mug = shelf(facility, "Mug")
    jobs = [job_of(facility, (mug, 1)) for _number in range(3)]
    run = run_of(*jobs, method="BATCH", by="program")
    (tote,) = load_units.create(facility, by=None, now=timezone.now())
    load_units.take_batch(tote.pk, run.pk, by=None, now=timezone.now())
    runs.book(
        run.pk,
        [picking.Count(line.pk, picked=1) for line in run.lines.all()],
        by=None,
        now=timezone.now(),
    )
    runs.close(run.pk, by=None, now=timezone.now())
    first = PackJob.objects.order_by("pk").first()
    packing.start(first.pk, by=None, now=timezone.now())
    packing.pack_all(first.pk, by=None, now=timezone.now())
    packing.close(first.pk, by=None, now=timezone.now(), is_weight_estimated=True)
    client.force_login(packer)

    answer = client.get(reverse("packing:job-list", args=[facility.slug]), {"code": tote.code})

    page = client.get(answer.url)
    assert answer.url == reverse("packing:run-sort", args=[facility.slug, run.pk])
    assert [job.status for _number, job in page.context["boxes"]] == ["CLOSED", "OPEN", "OPEN"]


def test_supervisor_says_who_packs_and_the_list_shows_it(client, facility, packer):
    job = pack_job(1, facility=facility)
    assert "Assigned to" not in text(client.get(address("job-detail", job.pk)))
    client.force_login(staff("supervisor", facility))
    page = text(client.get(address("job-detail", job.pk)))

    answer = client.post(
        address("job-assign", job.pk), {"users": [packer.pk], "version": job.version}, follow=True
    )

    assert "Who does this?" in page
    assert f"{job.short_id}: saved." in text(answer)
    assert list(job.assigned_users.all()) == [packer]
    assert f"for {packer}" in text(client.get(address("job-list")))
