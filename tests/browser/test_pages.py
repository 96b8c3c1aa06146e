"""Every page of the staff with data on it, on small and large screens: usable by everybody, served from here alone."""

import dataclasses

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from fulfillment.core.models import OutboxEntry, Stock
from fulfillment.core.services import printing, tokens
from packing import services as packing
from picking import assignments, load_units
from picking import services as picking
from routing import services as routing
from routing import trials
from routing.events import TrialAsked
from shipping import loads, pickup, pickup_packages, returns
from shipping.models import PickupSettings, ReturnReason
from tests.browser.phone import AXE, AXE_RUN, COVERED_NOTICES
from tests.factories.core import ArticleFactory, FacilityFactory, staff
from tests.factories.orders import OrderFactory
from tests.factories.packing import box, pack_job, started_pack_job
from tests.factories.picking import act, book, code_of, pick_job, started_pick_job
from tests.factories.returns import finished, opened, received, sent, slip_code, taken
from tests.factories.runs import job_of, run_of, shelf
from tests.factories.shipping import collected, labelled, parcel, work
from tests.factories.sources import parked, refused_report

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# A link inside a sentence may be as small as its words; a checkbox is as large as its label makes it.
SMALL_CONTROLS = """() => [...document.querySelectorAll("a, button, input, select, textarea, summary")]
    .filter(control => control.checkVisibility() && control.type !== "hidden")
    .filter(control => !control.closest(".sr-only, .skip"))
    .filter(control => !(control.matches("a") && getComputedStyle(control).display === "inline"))
    .filter(control => {
        const boxes = [control, ...(control.matches("[type=checkbox], [type=radio]") ? control.labels : [])]
            .map(element => element.getBoundingClientRect());
        const width = Math.max(...boxes.map(box => box.right)) - Math.min(...boxes.map(box => box.left));
        const height = Math.max(...boxes.map(box => box.bottom)) - Math.min(...boxes.map(box => box.top));
        return width < 47.5 || height < 47.5;
    })
    .map(control => control.outerHTML.slice(0, 160))"""
OPEN_DETAILS = """() => {
    for (const part of document.querySelectorAll("details:not(.menu)")) part.open = true;
}"""
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
PHONE = {"width": 360, "height": 640}
NARROW = {"width": 320, "height": 640}
DESK = {"width": 1280, "height": 800}


@dataclasses.dataclass(frozen=True)
class Page:
    title: str
    path: str
    status: int = 200


def page_of(title, name, *args):
    return Page(title, reverse(name, args=args))


def pages_of(facility, order, user):
    """Every page there is, each with something on it that ``user`` may see; to be looked at before the next is asked for."""
    here = facility.slug
    yield from _picking(facility, user, here)
    yield from _packing_and_shipping(facility, user, here)
    yield from _returns(facility, here)
    yield from _stock(facility, here)
    yield from _network(order)
    yield page_of("facility", "overview:facility-home", here)
    yield Page("no such page", "/nothing-here/", 404)


def _picking(facility, user, here):
    opened = pick_job(2, 1, facility=facility, spare=2)
    mine = started_pick_job(user, 3, 1, facility=facility, spare=2)
    act(mine, "scan", by=user, code=code_of(mine.lines.all()[0]))
    theirs = started_pick_job(staff("picker", facility), 1, facility=facility)
    full = started_pick_job(user, 1, 2, facility=facility)
    book(full, 1, 1, by=user)
    closed = started_pick_job(user, 1, facility=facility)
    book(closed, 1, by=user)
    picking.close(closed.pk, by=user, now=timezone.now())
    yield page_of("pick list", "picking:job-list", here)
    yield page_of("own settings", "core:preferences", here)
    yield page_of("shared devices", "core:device-list", here)
    yield page_of("scanner", "picking:scanner", here)
    yield page_of("practice", "picking:practice", here)
    held = pick_job(1, facility=facility)
    assignments.hold(held.pk, reason="The customer calls back", by=user, now=timezone.now())
    assignments.plan(opened.pk, users=[user], priority=2, by=user, now=timezone.now())
    yield page_of("plan of a job", "picking:job-plan", here, opened.pk)
    yield page_of("plan of a held job", "picking:job-plan", here, held.pk)
    yield page_of("plan of a job in progress", "picking:job-plan", here, theirs.pk)
    yield page_of("held pick job", "picking:job-detail", here, held.pk)
    yield page_of("floor", "overview:floor", here)
    given_up = started_pick_job(user, 3, facility=facility)
    book(given_up, 2, by=user)
    picking.abort(given_up.pk, by=user, now=timezone.now())
    yield page_of("put back", "picking:restow-list", here)
    line = opened.lines.first()
    place = line.allocations.first().stock.location
    look_up = reverse("picking:look-up", args=[here])
    yield Page("who holds nothing", f"{look_up}?code=nothing")
    yield Page("who holds an article", f"{look_up}?code={line.article.sku}")
    yield Page("who holds a place", f"{look_up}?code={place.name}")
    yield page_of("count", "picking:count-start", here)
    yield page_of("count of a place", "picking:count-location", here, place.pk)
    yield Page("pick list without a hit", reverse("picking:job-list", args=[here]) + "?q=nothing")
    yield page_of("pick job open", "picking:job-detail", here, opened.pk)
    yield page_of("pick job mine", "picking:job-detail", here, mine.pk)
    yield page_of("pick job of somebody else", "picking:job-detail", here, theirs.pk)
    yield page_of("pick job to close", "picking:job-detail", here, full.pk)
    yield page_of("pick job closed", "picking:job-detail", here, closed.pk)
    yield from _runs(facility, user, here)


def _runs(facility, user, here):
    mug, lamp = shelf(facility, "Mug", aisle=1, bay=2), shelf(facility, "Lamp", aisle=3, bay=5)

    def jobs():
        return [job_of(facility, (mug, 2), (lamp, 1)) for _number in range(2)]

    multi, batch = run_of(*jobs(), by=user), run_of(*jobs(), by=user, method="BATCH")
    theirs, waiting = run_of(*jobs(), by=staff("picker", facility)), run_of(*jobs())
    free, tote = load_units.create(facility, number=2, by=None, now=timezone.now())
    load_units.assign(tote.pk, multi.run_jobs.first().job_id, by=None, now=timezone.now())
    offered = jobs()
    chosen = "&".join(f"job={job.pk}" for job in offered)
    facility.zones.create(name="Cold")
    yield page_of("runs", "picking:run-list", here)
    yield Page("runs by zones", reverse("picking:run-list", args=[here]) + "?method=ZONE")
    yield Page("new run", f"{reverse('picking:run-preview', args=[here])}?method=MULTI_ORDER&{chosen}")
    yield page_of("run of several orders", "picking:run-detail", here, multi.pk)
    yield page_of("pick job in a run", "picking:job-detail", here, multi.run_jobs.first().job_id)
    yield page_of("run of a batch", "picking:run-detail", here, batch.pk)
    yield page_of("run of somebody else", "picking:run-detail", here, theirs.pk)
    yield page_of("run that waits", "picking:run-detail", here, waiting.pk)
    yield page_of("totes", "picking:load-unit-list", here)
    yield page_of("tote in use", "picking:load-unit-detail", here, tote.pk)
    yield page_of("free tote", "picking:load-unit-detail", here, free.pk)


def _packing_and_shipping(facility, user, here):
    ready = labelled(2, 1, facility=facility, number="2001")
    sick = parcel(1, facility=facility, number="2002", address={"houseNumber": "REJECT"})
    work()
    sick.refresh_from_db()
    assert sick.problem
    customer = collected(2, facility=facility, number="2003")
    waiting = parcel(1, facility=facility, number="2004")
    opened = pack_job(2, 1, facility=facility, number="2005")
    mine = started_pack_job(user, 2, 1, facility=facility, number="2006")
    box("Small", 250, 200, 150)
    box("Large", 600, 400, 400)
    lamp = ArticleFactory(title="Floor lamp", length_mm=590, width_mm=390, height_mm=390, weight_g=9_900)
    boxed = started_pack_job(user, 1, 2, facility=facility, articles=[lamp, ArticleFactory()], number="2007")
    packing.pack_as_proposed(boxed.pk, by=user, now=timezone.now())
    packing.take_out(
        boxed.pk, boxed.lines.first().pk, boxed.packages.first().pk, 1, by=user, now=timezone.now()
    )
    yield page_of("pack list", "packing:job-list", here)
    yield page_of("pack job open", "packing:job-detail", here, opened.pk)
    yield page_of("pack job mine", "packing:job-detail", here, mine.pk)
    yield page_of("pack job in two boxes", "packing:job-detail", here, boxed.pk)
    yield page_of("pack job closed", "packing:job-detail", here, ready.package.job_id)
    yield page_of("packed, label ready", "shipping:pack-done", here, ready.package.job_id)
    yield page_of("packed, label awaited", "shipping:pack-done", here, waiting.package.job_id)
    yield page_of("packed, label refused", "shipping:pack-done", here, sick.package.job_id)
    yield page_of("packed, to collect", "shipping:pack-done", here, customer.pick_job.pack_job.pk)
    station, _secret = printing.create_station(facility, "Bench 1", "ZPL", now=timezone.now())
    asked = {"facility": facility, "by": user, "now": timezone.now()}
    (failed,) = printing.ask([ready.label], station=station, **asked)
    printing.fail(failed.pk, station, printing.claim(station, now=timezone.now()).lease, "Out of labels.")
    printing.ask([ready.label, ready.return_label], station=None, **asked)
    yield page_of("printing", "core:print-list", here)
    yield page_of("labels", "shipping:shipment-list", here)
    yield page_of("labels with a problem", "shipping:problem-list", here)
    yield page_of("parcel", "shipping:parcel-detail", here, ready.pk)
    yield page_of("parcel with a problem", "shipping:parcel-detail", here, sick.pk)
    yield page_of("handovers", "shipping:handover-list", here)
    load = loads.open_load(facility, ready.carrier, by=user, now=timezone.now())
    yield page_of("load to begin", "shipping:load-detail", here, load.pk)
    gone = labelled(1, facility=facility, number="2101")
    loads.add(load.pk, gone.code, by=user, now=timezone.now())
    signed = {"driver_name": "Jan Jansen", "counted": 1, "is_signed_on_paper": True}
    loads.close(load.pk, **signed, by=user, now=timezone.now())
    work()
    yield page_of("load that left", "shipping:load-detail", here, load.pk)
    current = loads.open_load(facility, ready.carrier, by=user, now=timezone.now())
    loads.add(current.pk, ready.code, by=user, now=timezone.now())
    yield page_of("load", "shipping:load-detail", here, current.pk)
    yield page_of("load to close", "shipping:load-close", here, current.pk)
    yield page_of("loads", "shipping:load-list", here)
    yield page_of("handover to the carrier", "shipping:handover-detail", here, ready.handover_job.pk)
    yield page_of("handover to the customer", "shipping:handover-detail", here, customer.pk)
    PickupSettings.objects.create(
        facility=facility,
        asks_for_packages=True,
        asks_for_id=True,
        asks_for_age=True,
        asks_for_signature=True,
    )
    asked = collected(1, facility=facility, number="2102")
    work()
    yield page_of("handover with a PIN", "shipping:handover-detail", here, asked.pk)
    packed = asked.pick_job.pack_job
    yield page_of("packed for the customer", "shipping:pack-done", here, packed.pk)
    pickup.vouch(asked.pk, reason="Known here", by=user, now=timezone.now())
    yield page_of("handover with packages to scan", "shipping:handover-detail", here, asked.pk)
    code = packed.packages.get().code
    pickup_packages.fetch(asked.pk, code, by=user, now=timezone.now())
    yield page_of("handover with a signature", "shipping:handover-detail", here, asked.pk)
    yield page_of("order with a parcel", "overview:order-detail", ready.order_id)


def _returns(facility, here):
    waiting, arrived = (
        taken(2, facility=facility, number="2301"),
        taken(1, 2, facility=facility, number="2302"),
    )
    wanted = [returns.Wanted(waiting.lines.get().pk, 2, ReturnReason.objects.get(key="damaged"))]
    announced = returns.announce(waiting.pk, wanted, facility=facility, by=None, now=timezone.now())
    here_now, line = opened(arrived), arrived.lines.last()
    yield page_of("returns", "shipping:return-list", here)
    named = reverse("shipping:return-list", args=[here])
    yield Page("returns by name", f"{named}?named={arrived.order.recipient_name[:5]}")
    yield page_of("return announced", "shipping:return-detail", here, announced.pk)
    yield page_of("return arrived", "shipping:return-detail", here, here_now.pk)
    detail = reverse("shipping:return-detail", args=[here, here_now.pk])
    yield Page("return with an article in the hand", f"{detail}?line={line.pk}")
    for key in ("damaged", "worn"):
        received(arrived, 1, key, line=line)
    yield page_of("return in progress", "shipping:return-detail", here, here_now.pk)
    done = finished(taken(1, facility=facility, number="2303"))
    yield page_of("return finished", "shipping:return-detail", here, done.pk)
    slip = slip_code(sent(2, 1, facility=facility, number="2304"))
    yield page_of("code of a slip", "slip-enter")
    yield page_of("slip", "slip", slip)
    yield page_of("order with a return", "overview:order-detail", done.order_id)


def _stock(facility, here):
    stock = Stock.objects.filter(listing__facility=facility).first()
    yield page_of("stock", "core:stock-list", here)
    yield page_of("goods receipt", "core:goods-receipt", here)
    yield page_of("movements", "core:stock-movements", here, stock.pk)
    yield page_of("correct stock", "core:stock-correct", here, stock.pk)


def _network(order):
    lost = OrderFactory(("SKU-NOBODY", 2))
    for placed in (order, lost):
        routing.route_order(placed.pk, by=None, now=timezone.now())
    OutboxEntry.objects.create(
        event="PackJobClosed",
        payload={"order_id": str(order.pk)},
        handler="shipping.labels",
        lane="labels",
        state=OutboxEntry.State.FAILED,
        attempts=5,
        last_error="The carrier does not answer.",
    )
    yield page_of("orders", "overview:order-list")
    yield page_of("order", "overview:order-detail", order.pk)
    yield page_of("order without a facility", "overview:order-detail", lost.pk)
    yield page_of("open plans", "routing:open-plans")
    yield page_of("decision", "routing:decision", order.pk)
    key = order.routing_plans.first().facility_id
    yield Page("what would have to change", f"{reverse('routing:decision', args=[order.pk])}?facility={key}")
    yield page_of("decision without a facility", "routing:decision", lost.pk)
    yield page_of("parked work", "overview:work-list")
    trial = trials.ask(100, by=None, now=timezone.now())
    waiting = trials.ask(100, by=None, now=timezone.now())
    trials.work_off(TrialAsked(trial_id=trial.pk))
    yield page_of("try the draft", "routing:trial-list")
    yield page_of("trial", "routing:trial-detail", trial.pk)
    yield page_of("trial that waits", "routing:trial-detail", waiting.pk)
    yield page_of("draft for an order", "routing:decision-draft", order.pk)
    token, _secret = tokens.create(
        name="Shop", channel_name="Shop", scopes=["READ"], is_sandbox=True, now=timezone.now()
    )
    report = refused_report(order)
    waits = parked(report.connection)
    yield page_of("order of a shop, with a refused report", "overview:order-detail", order.pk)
    yield page_of("sources", "sources:source-list")
    yield page_of("parked delivery", "sources:delivery-detail", waits.pk)
    yield page_of("tables of a connection", "sources:connection-tables", report.connection_id)
    yield page_of("shops", "core:shop-list")
    yield page_of("connect a shop", "core:shop-connect")
    yield page_of("shop", "core:shop-detail", token.pk)


def enter(context, user, url):
    """Sign in without the form: the cookie of a session."""
    client = Client()
    client.force_login(user)
    value = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": url}])


def flaws(phone, page):
    """What is wrong with a page on any screen, in words."""
    tab = phone.page
    # What axe made the page before complain about: it tries inline styles, which the policy refuses as it should.
    tab.goto("about:blank")
    phone.troubles.clear()
    tab.set_viewport_size(NARROW)
    answer = tab.goto(phone.base_url + page.path)
    found = [] if answer.status == page.status else [f"answers {answer.status}"]
    tab.evaluate(OPEN_DETAILS)
    for viewport in (NARROW, PHONE, DESK):
        tab.set_viewport_size(viewport)
        found += look(tab, viewport["width"])
    found += phone.troubles
    tab.evaluate(f"() => {{ {AXE} }}")
    for viewport in (DESK, PHONE):
        tab.set_viewport_size(viewport)
        found += [f"at {viewport['width']}: {violation}" for violation in tab.evaluate(AXE_RUN)]
    return found


def look(tab, width):
    found = [f"at {width}: covered: {notice}" for notice in tab.evaluate(COVERED_NOTICES)]
    if (overflow := tab.evaluate(OVERFLOW)) > 0:
        found.append(f"at {width}: {overflow} px wider than the screen")
    return found + [f"at {width}: small: {control}" for control in tab.evaluate(SMALL_CONTROLS)]


def test_every_page_is_usable(phone, live_server, facility, order):
    FacilityFactory(slug="there", name="Utrecht Oudegracht")
    user, supervisor = staff("administrator"), Client()
    supervisor.force_login(staff("supervisor"))
    wrong, otherwise = {"sign in": flaws(phone, page_of("sign in", "login"))}, []

    enter(phone.page.context, user, live_server.url)
    for page in pages_of(facility, order, user):
        wrong[page.title] = flaws(phone, page)
        if supervisor.get(page.path).status_code != page.status:
            otherwise.append(page.title)

    assert {title: found for title, found in wrong.items() if found} == {}
    assert otherwise == ["tables of a connection", "shops", "connect a shop", "shop"]  # for administrators


def test_menu_is_usable(phone, live_server, facility):
    enter(phone.page.context, staff("administrator"), live_server.url)
    phone.open("overview:facility-home", facility.slug)

    phone.page.locator("details.menu summary").click()

    assert look(phone.page, PHONE["width"]) == []
    phone.inspect()
    phone.page.keyboard.press("Escape")
    expect(phone.page.locator(".menu-panel")).to_be_hidden()


def test_choice_of_the_facility_is_usable(phone, live_server, facility):
    there = FacilityFactory(slug="there", name="Utrecht Oudegracht")
    enter(phone.page.context, staff("supervisor", facility, there), live_server.url)

    assert flaws(phone, page_of("home", "overview:home")) == []


def test_filters_are_folded_on_a_phone_and_open_on_a_desk(phone, live_server, order):
    enter(phone.page.context, staff("administrator"), live_server.url)
    phone.open("overview:order-list")
    status = phone.page.locator("select[name=status]")

    expect(status).to_be_hidden()
    expect(phone.page.get_by_role("link", name=str(order))).to_be_in_viewport()
    phone.page.set_viewport_size(DESK)
    expect(status).to_be_visible()
    expect(phone.page.locator("details.filters summary")).to_be_hidden()
    status.select_option("OPEN")
    phone.page.get_by_role("button", name="Search").click()

    phone.page.set_viewport_size(PHONE)
    expect(status).to_be_visible()


@pytest.mark.parametrize("name", ["overview:order-detail", "overview:order-cancel", "routing:decision"])
def test_order_number_is_not_broken_at_a_hyphen(phone, live_server, order, name):
    order.tenant_order_id = "WEB-2026-10017"
    order.save(update_fields=["tenant_order_id"])
    enter(phone.page.context, staff("administrator"), live_server.url)
    phone.page.set_viewport_size(NARROW)

    phone.open(name, order.pk)

    number = phone.page.locator("h1 .whole")
    expect(number).to_have_text("WEB-2026-10017")
    assert (
        number.evaluate(
            "number => { const all = document.createRange(); all.selectNodeContents(number);"
            " return all.getClientRects().length; }"
        )
        == 1
    )
    assert look(phone.page, NARROW["width"]) == []
