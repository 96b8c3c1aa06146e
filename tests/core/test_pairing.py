"""Shared devices: who comes in with a badge or a PIN, what they may do, and when they are out again."""

import datetime

import pytest
import time_machine
from django.contrib.auth.hashers import identify_hasher
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.middleware import DEVICE_COOKIE
from fulfillment.core.models import PairedDevice, User
from fulfillment.core.services import pairing
from tests.factories.core import FacilityFactory, staff

pytestmark = pytest.mark.django_db
PIN = "294817"


@pytest.fixture
def facility():
    return FacilityFactory(slug="here")


@pytest.fixture
def picker(facility):
    user = staff("picker", facility)
    pairing.set_pin(user, PIN)
    return user


@pytest.fixture
def device(facility):
    return pairing.pair(facility, "Handheld 1", lock_minutes=5, by=None, now=timezone.now())


@pytest.fixture
def shared(client, device):
    """A browser on the shared device."""
    client.cookies[DEVICE_COOKIE] = device[1]
    return client


def enter(client, **fields):
    return client.post(reverse("core:enter"), fields, follow=True)


def is_in(client):
    return client.get(reverse("picking:job-list", args=["here"])).status_code == 200


def test_badge_lets_a_picker_in(shared, picker):
    enter(shared, badge=pairing.new_badge(picker).lower())

    assert is_in(shared)


def test_name_and_pin_let_a_picker_in(shared, picker):
    page = shared.get(reverse("login")).content.decode()
    enter(shared, who=picker.pk, pin=PIN)

    assert str(picker) in page
    assert is_in(shared)


def test_pin_is_stored_as_a_password_is_and_a_badge_as_a_hash(picker):
    code = pairing.new_badge(picker)

    picker.refresh_from_db()
    assert identify_hasher(picker.pin)
    assert PIN not in picker.pin
    assert picker.badge_digest == PairedDevice.hash(code)


@pytest.mark.parametrize("pin", ["12345", "1234567", "111111", "123456", "987654", "12345a", "１２３４５７"])
def test_pin_that_is_guessed_first_is_refused(picker, pin):
    with pytest.raises(pairing.PinTooSimple):
        pairing.set_pin(picker, pin)


def test_without_the_cookie_of_a_paired_device_nobody_comes_in(client, picker):
    answer = client.post(reverse("core:enter"), {"who": picker.pk, "pin": PIN})

    assert answer.status_code == 403
    assert not is_in(client)


@pytest.mark.parametrize(
    "fields", [{"who": True, "pin": "000000"}, {"badge": "B0000000000000000"}, {"who": "", "pin": PIN}, {}]
)
def test_wrong_badge_or_pin_lets_nobody_in(shared, picker, fields):
    enter(shared, **{name: picker.pk if value is True else value for name, value in fields.items()})

    assert not is_in(shared)


def test_old_badge_opens_nothing_any_more(shared, picker):
    old = pairing.new_badge(picker)
    pairing.new_badge(picker)

    enter(shared, badge=old)

    assert not is_in(shared)


def test_who_may_not_pick_there_stays_out(shared, device):
    stranger = staff("picker", FacilityFactory())
    pairing.set_pin(stranger, PIN)

    enter(shared, badge=pairing.new_badge(stranger))

    assert not is_in(shared)
    assert stranger not in pairing.people_at(device[0])


def test_tries_of_a_person_are_limited(shared, picker):
    for _try in range(5):
        enter(shared, who=picker.pk, pin="000000")

    page = enter(shared, who=picker.pk, pin=PIN)

    assert not is_in(shared)
    assert "Too many tries" in page.content.decode()


def test_tries_of_a_device_are_limited(device, picker):
    for _try in range(20):
        with pytest.raises(pairing.NotLetIn):
            pairing.enter_by_badge(device[0], "B0000000000000000")

    with pytest.raises(pairing.TooManyTries):
        pairing.enter_by_badge(device[0], pairing.new_badge(picker))


def test_badge_of_an_administrator_opens_picking_alone(shared):
    administrator = User.objects.create_superuser("root@example.com", "a-long-password")
    enter(shared, badge=pairing.new_badge(administrator))

    assert is_in(shared)
    for name, arguments in [("core:stock-list", ["here"]), ("core:device-list", ["here"])]:
        assert shared.get(reverse(name, args=arguments)).status_code == 403
    assert shared.get(reverse("overview:order-list")).status_code == 403
    assert shared.get(reverse("admin:index")).status_code == 302
    assert shared.post(reverse("core:badge-new", args=["here"])).status_code == 403
    assert shared.post(reverse("core:pin-set", args=["here"]), {"pin": PIN}).status_code == 403
    administrator.refresh_from_db()
    assert (administrator.is_staff, administrator.is_superuser) == (True, True)


def test_revoked_device_is_out_with_the_next_request(shared, device, picker):
    enter(shared, badge=pairing.new_badge(picker))
    pairing.revoke(device[0], now=timezone.now())

    assert not is_in(shared)


def test_session_without_its_device_is_out(shared, picker):
    enter(shared, badge=pairing.new_badge(picker))
    del shared.cookies[DEVICE_COOKIE]

    assert not is_in(shared)


def test_idle_session_ends_and_one_in_use_goes_on(shared, picker):
    with time_machine.travel(datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC), tick=False) as clock:
        enter(shared, badge=pairing.new_badge(picker))
        for _step in range(4):
            clock.shift(4 * 60)
            assert is_in(shared)
        clock.shift(6 * 60)
        assert not is_in(shared)


def test_lock_leaves_the_device(shared, picker):
    enter(shared, badge=pairing.new_badge(picker))

    shared.post(reverse("core:lock", args=["here"]))

    assert not is_in(shared)


def test_supervisor_pairs_and_ends_sharing(client, facility, picker):
    client.force_login(staff("supervisor", facility))
    client.post(reverse("core:device-pair", args=["here"]), {"name": "Handheld 2", "lock_minutes": 3})
    device = PairedDevice.objects.get()
    page = client.get(reverse("core:device-list", args=["here"])).content.decode()

    assert (device.name, device.lock_minutes) == ("Handheld 2", 3)
    assert "Handheld 2" in page
    cookie = client.cookies[DEVICE_COOKIE]
    assert cookie["httponly"]
    assert device.digest == PairedDevice.hash(cookie.value)
    client.post(reverse("core:device-revoke", args=["here", device.pk]))
    device.refresh_from_db()
    assert device.revoked_at


def test_language_of_the_menu_is_that_of_the_settings(client, picker):
    client.force_login(picker)
    address = reverse("core:preferences", args=["here"])
    assert '<option value="" selected>As the device (English)' in client.get(address).content.decode()

    client.post(reverse("set_language"), {"language": "de", "next": address})
    assert '<option value="de" selected>' in client.get(address).content.decode()
    client.post(reverse("set_language"), {"language": "en", "next": address})

    page = client.get(address).content.decode()
    assert 'lang="en"' in page
    assert '<option value="en" selected>' in page


def test_settings_are_kept_and_shown(client, facility, picker):
    client.force_login(picker)
    address = reverse("core:preferences", args=["here"])

    client.post(address, {"language": "de", "theme": "dark", "text_size": 125, "is_left_handed": "on"})
    page = client.get(address).content.decode()

    for part in ('lang="de"', 'data-theme="dark"', 'data-text="125"', 'data-hand="left"', 'data-sound="off"'):
        assert part in page
    assert "Einstellungen" in page
    other = Client()
    other.force_login(staff("picker", facility))
    assert "data-theme" not in other.get(address).content.decode()
