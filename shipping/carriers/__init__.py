"""The carriers that are there: every module of this folder that has an ``ADAPTER``."""

import importlib
import pkgutil

from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused

from .base import (
    Account,
    Booking,
    CarrierAdapter,
    CarrierError,
    Contact,
    CustomsLine,
    Doc,
    Listed,
    NotSigned,
    Outcome,
    ParcelData,
    Product,
    Track,
)

__all__ = [
    "ADAPTERS",
    "Account",
    "Booking",
    "CarrierAdapter",
    "CarrierError",
    "Contact",
    "CustomsLine",
    "Doc",
    "Listed",
    "NotSigned",
    "Outcome",
    "ParcelData",
    "Product",
    "Track",
    "UnknownAdapter",
    "adapter_of",
]

ADAPTERS: dict[str, type[CarrierAdapter]] = {
    module.ADAPTER.key: module.ADAPTER
    for module in (
        importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)
    )
    if hasattr(module, "ADAPTER")
}


class UnknownAdapter(Refused):
    text = _("%(connection)s has the adapter %(adapter)s, which does not exist. There are %(known)s.")


def adapter_of(connection):
    """The adapter of a ``CarrierConnection``, made for its account. Raises UnknownAdapter, UnreadableSecret."""
    if connection.adapter not in ADAPTERS:
        raise UnknownAdapter(
            connection=connection, adapter=connection.adapter, known=", ".join(sorted(ADAPTERS))
        )
    return ADAPTERS[connection.adapter](connection.account)
