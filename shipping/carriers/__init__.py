"""The carriers that are there: every module of this folder that has an ``ADAPTER``."""

import importlib
import pkgutil

from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused

from .base import Booking, CarrierAdapter, CarrierError, Contact, Doc, Outcome, ParcelData

__all__ = [
    "ADAPTERS",
    "Booking",
    "CarrierAdapter",
    "CarrierError",
    "Contact",
    "Doc",
    "Outcome",
    "ParcelData",
    "adapter_of",
]

ADAPTERS: dict[str, CarrierAdapter] = {
    module.ADAPTER.key: module.ADAPTER
    for module in (
        importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)
    )
    if hasattr(module, "ADAPTER")
}


class UnknownAdapter(Refused):
    text = _("Carrier %(carrier)s has the adapter %(adapter)s, which does not exist. There are %(known)s.")


def adapter_of(carrier):
    """The adapter that a carrier names. Raises UnknownAdapter."""
    if carrier.adapter not in ADAPTERS:
        raise UnknownAdapter(carrier=carrier, adapter=carrier.adapter, known=", ".join(sorted(ADAPTERS)))
    return ADAPTERS[carrier.adapter]
