"""Codes that tell a screen what to do: whoever has a scanner in the hand never needs to touch the screen."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from fulfillment.core.codes import check_character

from .models import ShortReason

PREFIX = "CMD"


class Command(models.TextChoices):
    UNDO = "undo", _("Undo")
    SHORT = "short", _("Missing")
    NEXT = "next", _("Next")
    UNITS = "units", _("Enter units")
    PRINT = "print", _("Print")
    CANCEL = "cancel", _("Cancel")
    PAUSE = "pause", _("Put aside")
    CLOSE = "close", _("Close job")
    GO_ON = "go_on", _("Goes on in another package")  # at the pack station


def _code(number):
    body = f"{PREFIX}{number:02}"
    return body + check_character(body)


# The numbers are on printed sheets: what is there keeps its number.
CODES = {command: _code(number) for number, command in enumerate(Command, start=1)}
# A reason for missing units, said by its own code.
REASON_CODES = {reason: _code(number) for number, reason in enumerate(ShortReason, start=51)}
NAMES = {
    **{code: str(command) for command, code in CODES.items()},
    **{code: f"reason:{reason}" for reason, code in REASON_CODES.items()},
}


def named(text):
    """What a scanned text tells to do: the value of a ``Command``, ``reason:`` with a ``ShortReason``, or empty."""
    return NAMES.get(text.strip().upper(), "")
