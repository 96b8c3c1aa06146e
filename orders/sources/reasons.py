"""Why an order is not imported, or what an operator should know of it: a code with parameters, and words for people.

No reason carries personal data: they stand in logs, lists and error texts.
"""

import dataclasses

from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

TEXTS = {
    # Nothing to do
    "NOT_RELEASED": _("Not released by the shop yet: %(status)s."),
    "TEST_ORDER": _("A test order; this connection does not allow them."),
    "SHIPPED": _("Nothing is left to ship."),
    "NO_STOCK_LINES": _("No line of it is picked: only services, fees or vouchers."),
    "NOT_OURS": _("It is not for this connection: %(why)s."),
    "OTHER_TOPIC": _("Messages of the kind %(topic)s are not needed."),
    "SIGNAL": _("The message only names the order; it is read from the source."),
    "OLDER": _("Something newer is known already."),
    "UNCHANGED": _("Nothing changed."),
    "CANCELLED_BEFORE": _("Cancelled in the shop before it came here."),
    "CANCELLED": _("Cancelled in the shop."),
    "CLOSED": _("Closed by %(person)s."),
    # Parked: somebody has to look
    "NOT_JSON": _("The delivery is not JSON."),
    "NOT_OF_THIS_SOURCE": _("The delivery is not an order of %(source)s."),
    "ADDRESS_MISSING": _("The order has no delivery address."),
    "ADDRESS_INCOMPLETE": _("The delivery address lacks: %(fields)s."),
    "ADDRESS_HIDDEN": _("The source hides the delivery address; the app lacks the right to read it."),
    "COUNTRY_UNKNOWN": _("“%(code)s” is not a country code."),
    "SKU_MISSING": _("Line %(line)s has no SKU, and the connection has no SKU for such lines."),
    "QUANTITY_NOT_WHOLE": _("Line %(line)s has no whole quantity."),
    "SEVERAL_ADDRESSES": _("Lines %(lines)s do not say which address they go to."),
    "INVALID": _("Our own check of orders refuses it: %(errors)s"),
    "REFUSED": _("It cannot be imported: %(why)s"),
    "CHANGE_TOO_LATE": _("The shop changed the order, but it is too late here: %(why)s"),
    "CANCEL_TOO_LATE": _("The shop cancelled the order, but it is too late here: %(why)s"),
    "CANCEL_ASKED": _("The customer asks to cancel line %(lines)s; decide before it is picked."),
    "COLLECT_UNKNOWN": _("The customer collects it; say in the delivery methods which facility %(code)s is."),
    "ON_HOLD": _("The shop put the order on hold."),
    "UNREADABLE": _("This version cannot read it: %(error)s. It is kept as it came."),
    "RAW_FORGOTTEN": _("It was kept too long: its content was deleted."),
    "NOT_FOUND": _("The source does not have this order."),
    # Imported, with a remark
    "METHOD_UNKNOWN": _("Unknown delivery method “%(code)s”: the default was taken."),
    "FACILITY_UNKNOWN": _("Unknown preferred facility “%(code)s”: routing decides."),
    # Reports
    "SOURCE_REFUSED": _("The source refuses it: %(message)s"),
    "NOTHING_OPEN": _("The source has nothing open that these units could be reported to."),
    "CARRIER_UNKNOWN": _("The source has no code for %(carrier)s; name one in the connection."),
    "NUMBERS_MISSING": _("The source takes parcels only with a tracking number and a return number."),
    "LINK_MISSING": _("The source takes parcels only with a tracking number and a link to it."),
    "NO_ROUTE": _("This source takes no such report; tell the shop."),
    "SWITCHED_OFF": _("Switched off in the connection."),
    "TAKEN_BACK": _("It was taken back before the shop was told."),
    "TAKEN_BACK_LATE": _("The handover was taken back after the shop was told; correct it there."),
}


@dataclasses.dataclass(frozen=True)
class Reason:
    code: str
    params: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.code and self.code not in TEXTS:
            raise KeyError(self.code)

    def __str__(self):
        return str(TEXTS[self.code]) % self.params if self.code else ""

    @property
    def english(self):
        with override("en"):
            return str(self)


def reason(code, /, **params):
    return Reason(code, {name: str(value) for name, value in params.items()})
