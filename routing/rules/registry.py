"""The base of fences and ratings: a class that names a ``key`` enters the register of its kind by itself."""

import copy
from typing import Any, ClassVar, Self


class Rule:
    """One criterion. ``label`` and ``description`` are shown to staff, ``key`` is stored.

    A rule that may be used several times (``is_own``) is bound to the words of staff: see ``bound``. ``needs`` names
    figures that are loaded for it alone: ``batches`` (where units lie and when they expire), ``capacity``, ``today``.
    """

    key: ClassVar[str] = ""
    label: ClassVar[Any] = ""
    description: ClassVar[Any] = ""
    is_own: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()
    rule: Any = None
    use: str = ""

    @classmethod
    def _enter(cls, register: dict) -> None:
        if not cls.key:
            return  # a base for other rules
        if cls.key in register:
            raise TypeError(f"{cls.__name__}: there is already a rule with the key {cls.key}.")
        register[cls.key] = cls()
        register[cls.key].use = cls.key

    def bound(self, use: str, rule: Any) -> Self:
        """This criterion as one of its uses, ``CUSTOM.organic``, with its own rule."""
        if use == self.key:
            return self
        one = copy.copy(self)
        one.use, one.rule = use, rule
        return one


def find(register: dict, use: str):
    """The criterion of a use, ``CUSTOM.organic`` or ``COUNTRY``; None when the code no longer has it."""
    return register.get(use.partition(".")[0])
