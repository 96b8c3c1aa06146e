"""Shared devices: a supervisor pairs one, and there a badge or a PIN lets pickers in, with picker rights only.

The device is known by a secret in its cookie, a badge by a printed code of 80 random bits (stored as its hash), a PIN
by six digits (hashed as passwords are). Failures count per device and per person.
"""

import itertools
import secrets

from django.contrib.auth.hashers import check_password, make_password
from django.utils.translation import gettext_lazy as _

from ..access import permissions_at
from ..codes import ALPHABET, check_character
from ..errors import Refused
from ..limits import hit, hits
from ..models import PairedDevice, Permission, User

BADGE_PREFIX, BADGE_CHARACTERS = "B", 16
PIN_DIGITS = 6
WINDOW = 15 * 60  # seconds
MOST_FAILURES = {"device": 20, "person": 5}
ALLOWED = frozenset({Permission.PICK})


class PinTooSimple(Refused):
    text = _("A PIN has %(digits)s digits, not all alike and not in a row.")


class NotLetIn(Refused):
    text = _("This badge or PIN does not let anybody in here.")


class TooManyTries(Refused):
    status_code = 429
    text = _("Too many tries. Sign in with e-mail and password, or wait %(minutes)s minutes.")


def pair(facility, name, *, lock_minutes, by, now):
    """Make a device of the facility a shared one; returns (device, the secret for its cookie)."""
    secret = secrets.token_urlsafe(32)
    device = PairedDevice.objects.create(
        facility=facility,
        name=name,
        digest=PairedDevice.hash(secret),
        lock_minutes=lock_minutes,
        paired_by=by,
        created_at=now,
    )
    return device, secret


def revoke(device, *, now):
    """Nobody comes in there any more, and who is in is out with the next request."""
    device.revoked_at = device.revoked_at or now
    device.save(update_fields=["revoked_at"])


def device_of(secret, now):
    """The paired device with this secret, or None."""
    if not secret:
        return None
    device = PairedDevice.objects.filter(digest=PairedDevice.hash(secret)).select_related("facility").first()
    return device if device is not None and device.is_usable(now) else None


def set_pin(user, pin):
    """Give a person a PIN, or none with an empty one. Refuses what somebody guesses first."""
    if pin and not _is_hard_to_guess(pin):
        raise PinTooSimple(digits=PIN_DIGITS)
    user.pin = make_password(pin) if pin else ""
    user.save(update_fields=["pin"])


def _is_hard_to_guess(pin):
    if len(pin) != PIN_DIGITS or not (pin.isascii() and pin.isdigit()):
        return False
    steps = {int(after) - int(before) for before, after in itertools.pairwise(pin)}
    return len(steps) > 1 or not steps <= {-1, 0, 1}


def new_badge(user):
    """A new code for a person's badge; the one before opens nothing any more."""
    body = BADGE_PREFIX + "".join(secrets.choice(ALPHABET) for _character in range(BADGE_CHARACTERS))
    code = body + check_character(body)
    user.badge_digest = PairedDevice.hash(code)
    user.save(update_fields=["badge_digest"])
    return code


def people_at(device):
    """Who may come in at a device with a PIN."""
    known = User.objects.filter(is_active=True).exclude(pin="").order_by("name", "email")
    return [user for user in known.prefetch_related("memberships__role") if may_enter(user, device)]


def may_enter(user, device):
    return Permission.PICK in permissions_at(user, device.facility)


def enter_by_badge(device, code):
    """Who has this badge. Refuses an unknown one, somebody who may not pick there, and too many tries."""
    _check_tries(device)
    user = User.objects.filter(badge_digest=PairedDevice.hash(code.strip().upper()), is_active=True).first()
    return _let_in(device, user)


def enter_by_pin(device, user_id, pin):
    """The person whose PIN this is. Refuses a wrong one, somebody who may not pick there, and too many tries."""
    _check_tries(device, user_id)
    user = User.objects.filter(pk=user_id, is_active=True).exclude(pin="").first()
    # Checked in any case: how long it takes tells nobody who has a PIN.
    is_right = check_password(pin, user.pin if user else make_password(None))
    return _let_in(device, user if is_right else None, user_id)


def _check_tries(device, user_id=None):
    for kind, key in _counters(device, user_id).items():
        failures, seconds = hits(key, WINDOW)
        if failures >= MOST_FAILURES[kind]:
            raise TooManyTries(minutes=seconds // 60 + 1)


def _let_in(device, user, user_id=None):
    if user is None or not may_enter(user, device):
        for key in _counters(device, user_id).values():
            hit(key, WINDOW)
        raise NotLetIn
    return user


def _counters(device, user_id):
    counters = {"device": f"enter-device:{device.pk}"}
    return counters if user_id is None else {**counters, "person": f"enter-person:{user_id}"}
