"""Why an order is not imported, or what an operator should know of it: a code with parameters, and words for people.

No reason carries personal data: they stand in logs, lists and error texts.
"""

import dataclasses

from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

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
    "GROUPS_TOO_LATE": _(
        "The shop divided the order among other addresses, but it is too late here: %(why)s"
    ),
    "CANCEL_TOO_LATE": _("The shop cancelled the order, but it is too late here: %(why)s"),
    "CANCEL_ASKED": _("The customer asks to cancel line %(lines)s; decide before it is picked."),
    "COLLECT_UNKNOWN": _("The customer collects it; say in the delivery methods which facility %(code)s is."),
    "ON_HOLD": _("The shop put the order on hold."),
    "UNREADABLE": _("This version cannot read it: %(error)s. It is kept as it came."),
    "RAW_FORGOTTEN": _("It was kept too long: its content was deleted."),
    "NOT_FOUND": _("The source does not have this order."),
    # Imported, with a remark
    "RESERVED": _("Not released by the shop yet: its goods are reserved only."),
    "METHOD_UNKNOWN": _("Unknown delivery method “%(code)s”: the default was taken."),
    "FACILITY_UNKNOWN": _("Unknown preferred facility “%(code)s”: routing decides."),
    # Reports
    "SOURCE_REFUSED": _("The source refuses it: %(message)s"),
    "NOTHING_OPEN": _("The source has nothing open that these units could be reported to."),
    "CARRIER_UNKNOWN": _("The source has no code for %(carrier)s; name one in the connection."),
    "NUMBERS_MISSING": _("The source takes parcels only with a tracking number and a return number."),
    "LINK_MISSING": _("The source takes parcels only with a tracking number and a link to it."),
    "NO_ROUTE": _("This source takes no such report; tell the shop."),
    "NUMBER_CHANGED": _(
        "The numbers of the parcel were corrected after the shop was told; correct them there."
    ),
    "NO_RETURN": _("The shop has no open return that this label is for."),
    "ANSWER_LOST": _("The answer of the source was lost: see there whether it arrived."),
    "NOT_ALL_DELIVERED": _("Told when the other parcels are delivered as well."),
    "CONDITION_UNKNOWN": _(
        "The source has no code for the condition “%(condition)s”; name one in the connection."
    ),
    "TOLD_TOGETHER": _("It was told with another parcel, in which the same units are."),
    "SWITCHED_OFF": _("Switched off in the connection."),
    "TAKEN_BACK": _("It was taken back before the shop was told."),
    "TAKEN_BACK_THERE": _("It was taken back, in the shop as well."),
    "TAKEN_BACK_LATE": _("It was taken back after the shop was told; correct it there."),
}


# What a person can do about a parked delivery.
ADVICE = {
    "NOT_JSON": _("Nothing can be read of it: let the shop send it again, then settle this one."),
    "NOT_OF_THIS_SOURCE": _("It is for another address, or no order. Settle it when no order is missing."),
    "ADDRESS_MISSING": _(
        "Type the address in below, or correct it in the shop: its newer version comes in by itself."
    ),
    "ADDRESS_INCOMPLETE": _(
        "Type in below what is missing, or correct it in the shop: its newer version comes in by itself."
    ),
    "ADDRESS_HIDDEN": _(
        "Type the address in below if the order cannot wait. The app needs the right to read addresses: an administrator gives it in the seller account."
    ),
    "COUNTRY_UNKNOWN": _("Choose the country below."),
    "SKU_MISSING": _("Type the SKU in below. One for all such lines can stand in the tables."),
    "QUANTITY_NOT_WHOLE": _("Type in below how many units are meant."),
    "SEVERAL_ADDRESSES": _("Choose below where each of these lines goes, then try again."),
    "INVALID": _("Correct it in the shop, or below in the content, then try again."),
    "REFUSED": _("Clear what stands in its way, then try again."),
    "CHANGE_TOO_LATE": _("Look at the order and agree with the shop what is to happen, then settle this."),
    "GROUPS_TOO_LATE": _(
        "Look at the order and agree with the shop what goes to which address. Cancel it here if that is still possible and try again, else settle this."
    ),
    "CANCEL_TOO_LATE": _(
        "Stop the order by hand if that is still possible, else tell the shop that it is on its way. Then settle this."
    ),
    "CANCEL_ASKED": _("Decide below for each line, then try again."),
    "COLLECT_UNKNOWN": _("Add the code to the delivery methods in the tables, then try again."),
    "ON_HOLD": _("Keep the order back until the shop releases it, then settle this."),
    "UNREADABLE": _(
        "Try again after the next update of this program. If the order cannot wait, correct the content below."
    ),
    "SOURCE_REFUSED": _("Try again later. If that does not help, an administrator can test the connection."),
}
UNDECIDED = ("ON_HOLD", "CANCEL_ASKED")  # of a known order: a person has to look before it goes on
TOO_LATE = (
    "CHANGE_TOO_LATE",
    "GROUPS_TOO_LATE",
    "CANCEL_TOO_LATE",
)  # the order is here; only its change waits for somebody
BY_CONTENT = {
    "INVALID",
    "UNREADABLE",
    "NOT_JSON",
    "NOT_OF_THIS_SOURCE",
}  # what only a look at the content can
FIELDS = {
    "street": _("street"),
    "postal_code": _("postal code"),
    "city": _("city"),
    "country": _("country"),
    "name": _("name"),
}
BY_TABLES = {"SKU_MISSING", "COLLECT_UNKNOWN"}  # what the tables of the connection can repair


@dataclasses.dataclass(frozen=True)
class Reason:
    code: str
    params: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.code and self.code not in TEXTS:
            raise KeyError(self.code)

    def __str__(self):
        return str(TEXTS[self.code]) % self._words() if self.code else ""

    def _words(self):
        """The parameters; a refusal and parts of an address among them in the reader's language."""
        words = dict(self.params)
        if "why.text" in words:
            given = {name.removeprefix("why."): value for name, value in words.items()}
            words["why"] = gettext(words["why.text"]) % given
        if "fields" in words:
            words["fields"] = ", ".join(str(FIELDS.get(name, name)) for name in words["fields"].split(", "))
        return words

    @property
    def advice(self):
        return ADVICE.get(self.code, "")

    @property
    def is_for_tables(self):
        return self.code in BY_TABLES

    @property
    def is_for_content(self):
        return self.code in BY_CONTENT

    @property
    def english(self):
        """For programs: parts of an address have the names that the preview gives them."""
        with override("en"):
            return str(TEXTS[self.code]) % self.params if self.code else ""


def refused(code, refusal):
    """A reason with a refusal of our own in it, kept so that it can be told in any language."""
    with override("en"):
        given = {f"why.{name}": str(value) for name, value in refusal.params.items()}
        return Reason(code, {"why": refusal.message, **given, "why.text": str(refusal.text)})


def reason(code, /, **params):
    return Reason(code, {name: str(value) for name, value in params.items()})
