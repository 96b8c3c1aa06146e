"""The base of fences and ratings: a class that names a ``key`` enters the register of its kind by itself."""

from typing import Any, ClassVar


class Rule:
    """One criterion. ``label`` and ``description`` are shown to staff, ``key`` is stored."""

    key: ClassVar[str] = ""
    label: ClassVar[Any] = ""
    description: ClassVar[Any] = ""

    @classmethod
    def _enter(cls, register: dict) -> None:
        if not cls.key:
            return  # a base for other rules
        if cls.key in register:
            raise TypeError(f"{cls.__name__}: there is already a rule with the key {cls.key}.")
        register[cls.key] = cls()
