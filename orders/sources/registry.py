"""The kinds of sources: every folder beside this module that has a ``KIND``. Adding one is adding its folder."""

import importlib
import pkgutil
from pathlib import Path

from .kind import Kind


def _find():
    modules = (
        importlib.import_module(f"{__package__}.{found.name}")
        for found in pkgutil.iter_modules([str(Path(__file__).parent)])
        if found.ispkg
    )
    kinds = [module.KIND for module in modules if isinstance(getattr(module, "KIND", None), Kind)]
    return {kind.key: kind for kind in kinds}


KINDS: dict[str, Kind] = _find()


def kind_of(connection):
    return KINDS[connection.kind]


def open_client(connection):
    """A client of the connection; use it as a context."""
    return kind_of(connection).client.Client(connection, kind_of(connection).options(connection.settings))


def map_orders(kind, orders, options):
    """Drafts of several orders; one that a mapping cannot read becomes a parked draft and keeps nobody out."""
    return [draft for order in orders for draft in kind.mapping.drafts(order, options)]
