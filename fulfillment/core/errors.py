"""Refusals: a step of the business that cannot be done now, with words for people and a code for programs."""

import re

from django.utils.translation import gettext_lazy as _
from django.utils.translation import override


class Refused(Exception):
    """Base of all refusals. Subclasses give ``text``, marked for translation, with %(name)s for each parameter."""

    text = _("This is not possible now.")
    status_code = 422

    def __init__(self, **params):
        super().__init__(params)
        self.params = params

    @classmethod
    def code_of_class(cls):
        """Stable name for programs: ``LinesPending`` -> ``LINES_PENDING``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).upper()

    @property
    def code(self):
        return self.code_of_class()

    @property
    def message(self):
        """What happened, in the active language."""
        return str(self.text) % self.params

    @property
    def english(self):
        """What happened, in English: the API's language."""
        with override("en"):
            return self.message

    def __str__(self):
        return self.english


class WrongStatus(Refused):
    text = _("%(thing)s is %(status)s; “%(action)s” is not possible now.")


class NotOffered(Refused):
    """A part of the wire format that this system has no use for, with what to use in its place; nothing is changed."""

    text = _("%(feature)s is not offered. %(instead)s")


class VersionConflict(Refused):
    """The client decided on an older state than the stored one."""

    status_code = 409
    text = _(
        "This was changed meanwhile: version %(requested)s was sent, %(current)s is stored. Load it again."
    )
