"""Sources that behave like the originals, for tests and ``make demo SOURCE=``: one module per kind, found by its name."""

import importlib


def fake_of(kind, **options):
    """A new fake of a kind of source, without orders."""
    return importlib.import_module(f"{__name__}.{kind}").Fake(**options)
