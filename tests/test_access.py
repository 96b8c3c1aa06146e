"""A walk over every address of the site: who is not signed in, not of this facility, or lacks the permission, stays out."""

import uuid

import pytest
from django.db import transaction
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from fulfillment.core.models import ApiToken, Membership, OutboxEntry, Permission, Role, User
from fulfillment.core.services import documents, pairing, printing, signin
from picking import load_units, restow, runs
from picking.models import LinePhoto, RestowItem
from routing import trials
from shipping.models import CarrierConnection, Load, LoadedParcel, Parcel
from tests.factories.core import (
    FacilityCarrierFactory,
    FacilityFactory,
    StorageLocationFactory,
    api_token,
    put_stock,
)
from tests.factories.picking import pick_job
from tests.factories.sources import parked, refused_report
from tests.factories.stages import NOON, Stages

pytestmark = [pytest.mark.django_db, pytest.mark.once]

# Pages with a gate of their own: sign-in, language, the health check, and the start page, which only redirects.
OPEN = {
    "sources:webhook",  # signed by the source
    "signin",
    "signin-refresh",
    "login",
    "logout",
    "set_language",
    "healthz",
    "overview:home",
    "offline",
    "service-worker",
    "carrier-hook",  # signed by the carrier
    # Customers have the code of their slip, see tests/shipping/test_slip_views.py.
    "slip-enter",
    "slip",
    "core:enter",  # asks for the secret of a shared device
    # Agents have the secret of their station, see tests/core/test_printing.py.
    "core:agent-next",
    "core:agent-file",
    "core:agent-done",
    "core:agent-failed",
}
# A scan screen that works offline hears JSON: sign in again, or what you hold is stale.
FOR_DEVICES = {
    "picking:scan",
    "picking:run-scan",
    "picking:photo-keep",
    "picking:run-photo-keep",
    "packing:scan",
    "shipping:load-scan",
}


def walk(patterns, namespace=(), path=""):
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield (
                ":".join((*namespace, pattern.name or str(pattern.pattern))),
                path + str(pattern.pattern),
                pattern,
            )
        elif pattern.namespace != "admin":
            inner = (*namespace, *filter(None, [pattern.namespace]))
            yield from walk(pattern.url_patterns, inner, path + str(pattern.pattern))


ALL = list(walk(get_resolver().url_patterns))
API_FOR_ALL = {"api-document", "api-docs", "api-status"}
API = [(name, pattern) for name, path, pattern in ALL if path.startswith("api/") and name not in API_FOR_ALL]
STAFF = [(name, pattern) for name, path, pattern in ALL if not path.startswith("api/") and name not in OPEN]
every_staff_page = pytest.mark.parametrize(("name", "pattern"), STAFF, ids=[name for name, _pattern in STAFF])
every_api_route = pytest.mark.parametrize(("name", "pattern"), API, ids=[name for name, _pattern in API])


class World:
    """One object of every kind that an address names, all of one facility."""

    def __init__(self):
        self.stages = Stages().plan().pick("CLOSED", 3).pack().ship("CONFIRMED", "DONE", "OPEN").give_back()
        self.facility = self.stages.facility
        self.stock = put_stock(
            self.facility, self.stages.article, 5, location=StorageLocationFactory(facility=self.facility)
        )
        self.document = documents.store(
            b"%PDF-1.7", facility_id=self.facility.pk, category="SENDLABEL", name="label.pdf", now=NOON
        )
        Parcel.objects.filter(pk=self.stages.parcel.pk).update(label=self.document)
        self.photo = LinePhoto.objects.create(
            pk=uuid.uuid4(), line=self.stages.pick_line, document=self.document
        )
        self.load = Load.objects.create(facility=self.facility, carrier=self.stages.parcel.carrier)
        link = FacilityCarrierFactory(facility=self.facility, carrier=self.stages.parcel.carrier)
        self.connection = CarrierConnection.objects.create(
            link=link,
            adapter="demo",
            strays=[{"number": "00340434161094000001", "reference": "", "day": "2026-03-02"}],
        )
        LoadedParcel.objects.create(load=self.load, parcel=self.stages.parcel, loaded_at=NOON)
        self.station, _secret = printing.create_station(self.facility, "Bench 1", "PDF", now=NOON)
        (self.print_job,) = printing.ask(
            [self.document], facility=self.facility, station=self.station, by=None, now=NOON
        )
        self.trial = trials.ask(10, by=None, now=NOON)
        with transaction.atomic():
            reason = RestowItem.Reason.CANCELLED
            (self.restow_item,) = restow.come_back(
                self.stages.job, {self.stages.pick_line: 1}, reason, by=None, now=NOON
            )
        self.delivery = parked()
        self.report = refused_report(self.stages.order, self.delivery.connection)
        self.waiting_job = pick_job(1, facility=self.facility)
        self.run = runs.create(
            self.facility, [self.waiting_job.pk], "BATCH", is_by_rules=False, by=None, now=NOON
        )
        (self.tote,) = load_units.create(self.facility, by=None, now=NOON)
        api_token()
        self.token = ApiToken.objects.latest("pk")
        self.device, _secret = pairing.pair(self.facility, "Handheld 1", lock_minutes=5, by=None, now=NOON)

    def find(self, name, argument):
        """The id that an argument of an address stands for: by name of the address, then of the argument."""
        stages = self.stages
        named = {
            ("overview:order", "pk"): stages.order,
            ("overview:work", "pk"): OutboxEntry.objects.first(),
            ("routing:decision", "pk"): stages.order,
            ("routing:order", "pk"): stages.order,
            ("routing:trial", "pk"): self.trial,
            ("routing:revision", "number"): self.trial.revision,
            ("routing:plan", "pk"): stages.plan_,
            ("picking:restow", "pk"): self.restow_item,
            ("picking:run", "pk"): self.run,
            ("picking:run", "job_pk"): self.waiting_job,
            ("picking:load-unit", "pk"): self.tote,
            ("picking:count", "pk"): self.stock.location,
            ("picking:", "pk"): stages.job,
            ("picking:", "line_pk"): stages.pick_line,
            ("picking:photo", "photo_pk"): self.photo,
            ("packing:run", "pk"): self.run,
            ("packing:", "pk"): stages.pack_job,
            ("packing:", "line_pk"): stages.pack_line,
            ("packing:", "package_pk"): stages.package,
            ("shipping:pack", "pk"): stages.pack_job,
            ("shipping:shipment", "pk"): stages.shipment,
            ("shipping:parcel", "pk"): stages.parcel,
            ("shipping:document", "pk"): self.document,
            ("shipping:handover", "pk"): stages.handover,
            ("shipping:strays", "pk"): self.connection,
            ("shipping:load", "pk"): self.load,
            ("shipping:load", "parcel_pk"): stages.parcel,
            ("shipping:return-job", "pk"): stages.return_job,
            ("shipping:return", "pk"): stages.item_return,
            ("sources:connection", "pk"): self.delivery.connection,
            ("sources:delivery", "pk"): self.delivery,
            ("sources:report", "pk"): self.report,
            ("core:stock", "pk"): self.stock,
            ("core:shop", "pk"): self.token,
            ("core:device", "pk"): self.device,
            ("core:print", "pk"): self.print_job,
            ("core:station", "number"): self.station,
        }
        for (prefix, own), entity in named.items():
            if name.startswith(prefix) and own == argument:
                return entity.pk
        raise AssertionError(f"Say in World.find which object {argument} of {name} is.")


@pytest.fixture
def world():
    return World()


def named_objects(pattern):
    return set(pattern.pattern.converters) - {"slug"}


def address(name, pattern, world, facility=None):
    """The URL of a page with the objects of the world; at another facility when one is given."""
    arguments = {argument: world.find(name, argument) for argument in named_objects(pattern)}
    if pattern.callback.gate[0] == "facility":
        arguments["slug"] = (facility or world.facility).slug
    return reverse(name, kwargs=arguments)


def ask(client, url):
    """Call a page in the way it may be called."""
    answer = client.get(url)
    return client.post(url) if answer.status_code == 405 else answer


def user_with(permissions, facility=None):
    user = User.objects.create_user(f"{uuid.uuid4().hex}@example.com")
    role = Role.objects.create(key=uuid.uuid4().hex, name="Own", permissions=permissions)
    Membership.objects.create(user=user, role=role, facility=facility)
    return user


@every_staff_page
def test_every_staff_page_has_a_gate(name, pattern):
    assert getattr(pattern.callback, "gate", None), f"{name} lacks @at_facility or @network"


@every_staff_page
def test_anonymous_is_sent_to_the_login(client, world, name, pattern):
    answer = ask(client, address(name, pattern, world))

    if name in FOR_DEVICES:
        assert (answer.status_code, answer.json()["kind"]) == (401, "login")
    else:
        assert answer.status_code == 302
        assert answer.url.startswith("/login/")


@every_staff_page
def test_outsider_finds_nothing(client, world, name, pattern):
    client.force_login(user_with(Permission.values, FacilityFactory()))

    assert ask(client, address(name, pattern, world)).status_code == (409 if name in FOR_DEVICES else 404)


@every_staff_page
def test_missing_permission_is_forbidden(client, world, name, pattern):
    kind, permission = pattern.callback.gate
    others = [value for value in Permission.values if value != permission]
    client.force_login(user_with(others, world.facility if kind == "facility" else None))

    refused = ask(client, address(name, pattern, world)).status_code == (409 if name in FOR_DEVICES else 403)
    assert refused == (permission is not None)


@every_staff_page
def test_exactly_this_permission_opens_the_page(client, world, name, pattern):
    kind, permission = pattern.callback.gate
    client.force_login(
        user_with([permission or Permission.PICK], world.facility if kind == "facility" else None)
    )

    assert ask(client, address(name, pattern, world)).status_code not in {403, 404, 409, 500}


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        (name, pattern)
        for name, pattern in STAFF
        if getattr(pattern.callback, "gate", ("",))[0] == "facility" and named_objects(pattern)
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_object_of_another_facility_is_not_found(client, world, name, pattern):
    own = FacilityFactory()
    client.force_login(user_with(Permission.values, own))

    # A device takes the 409 for an answer, and goes on with what else it has to send.
    refused = 409 if name in FOR_DEVICES else 404
    assert ask(client, address(name, pattern, world, facility=own)).status_code == refused


def api_address(name, pattern):
    kinds = pattern.pattern.converters.items()
    return reverse(
        name, kwargs={argument: 1 if kind.regex == "[0-9]+" else uuid.uuid4() for argument, kind in kinds}
    )


OPERATIONS = [
    (name, pattern, method, access)
    for name, pattern in API
    for method, access in pattern.callback.view_class.access.items()
]
every_operation = pytest.mark.parametrize(
    ("name", "pattern", "method", "access"),
    OPERATIONS,
    ids=[f"{method} {name}" for name, _pattern, method, _access in OPERATIONS],
)


@every_api_route
def test_api_view_says_for_each_method_what_it_asks_for(name, pattern):
    view = pattern.callback.view_class

    assert {
        method for method in ("GET", "POST", "PUT", "PATCH", "DELETE") if hasattr(view, method.lower())
    } == set(view.access)


@every_operation
def test_operation_refuses_without_token(client, name, pattern, method, access):
    answer = client.generic(method, api_address(name, pattern))

    assert answer.status_code == 401
    assert answer.json()[0]["summary"] == "NOT_AUTHENTICATED"


@every_operation
def test_operation_refuses_another_scope(client, name, pattern, method, access):
    others = [scope for scope in ApiToken.Scope.values if scope != access.scope]

    answer = client.generic(
        method, api_address(name, pattern), headers={"Authorization": f"Bearer {api_token(*others)}"}
    )

    assert answer.status_code == 403


@every_operation
def test_operation_refuses_a_person_without_the_permission(client, name, pattern, method, access):
    others = [permission for permission in Permission.values if permission != access.permission]
    person = user_with(others if access.permission else [], FacilityFactory())
    token = signin.access_token(person, now=timezone.now())

    answer = client.generic(method, api_address(name, pattern), headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 403


@every_operation
def test_operation_lets_in_who_may(client, name, pattern, method, access):
    permissions = [access.permission] if access.permission else [Permission.PICK]
    person = signin.access_token(user_with(permissions), now=timezone.now())

    for token in (api_token(access.scope), person):
        answer = client.generic(
            method,
            api_address(name, pattern),
            "{}",
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}"},
        )

        # Nothing of that id exists and the body is empty; what matters is that the gate is open.
        assert (
            answer.status_code in {200, 202, 204, 400, 404, 422} or "sales channel" in answer.content.decode()
        )
