"""Sources that behave like the originals, for tests and ``make demo SOURCE=``: one module per kind, found by its name."""

import importlib

from orders.sources.registry import KINDS

from . import salesforce

# What ``fake_of`` knows: every kind, and the variants of one that are sources of their own.
NAMES = (*sorted(KINDS), "management")


def fake_of(kind, **options):
    """A new fake of a kind of source, or of a variant of one, without orders."""
    if kind == "management":
        return salesforce.Management(**options)
    return importlib.import_module(f"{__name__}.{kind}").Fake(**options)
