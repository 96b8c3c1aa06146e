"""A parcel as adapters, labels and papers take it."""

from django.utils import timezone
from django.utils.translation import gettext

from fulfillment.core.barcodes import SSCC_DIGITS
from fulfillment.core.customs import is_border_between
from orders.models import Address
from packing import customs
from packing.models import Package

from .carriers import (
    CarrierError,
    Contact,
    CustomsLine,
    Outcome,
    ParcelData,
)

# In the custom attributes of an order: the customer agreed that the carrier gets phone and e-mail.
CONSENT = "carrierContactConsent"
LANGUAGES = {"DE": "de", "AT": "de", "CH": "de"}


def parcel_data(parcel, reference, *, declares=True):
    """A parcel as adapters and labels take it. Raises CarrierError when it declares goods of which data is missing.

    Args:
        declares: whether goods are declared that cross a customs border; nothing of them stands on a label.
    """
    shipment = parcel.shipment
    packages = list(
        Package.objects.filter(job=parcel.package.job_id).order_by("number").values_list("pk", flat=True)
    )
    sender = Contact(**parcel.sender) if parcel.sender else sender_of(shipment.facility)
    recipient = recipient_of(shipment, for_carrier=True)
    return ParcelData(
        reference=reference,
        code=parcel.code,
        is_sscc=is_sscc(parcel.code),
        carrier_name=parcel.carrier.name,
        sender=sender,
        recipient=recipient,
        weight_g=parcel.weight_g,
        length_mm=parcel.length_mm,
        width_mm=parcel.width_mm,
        height_mm=parcel.height_mm,
        order_number=str(shipment.order),
        number=packages.index(parcel.package_id) + 1,
        count=len(packages),
        language=language_of(shipment),
        product=parcel.product,
        ship_date=timezone.localdate(timezone=shipment.facility.tz),
        return_to=Contact(**parcel.return_address) if parcel.return_address else None,
        customs=_customs_of(parcel, sender, recipient) if declares else (),
    )


def is_sscc(code):
    return code.isdigit() and len(code) == SSCC_DIGITS


def passes_customs(shipment):
    """Whether goods of a shipment cross a customs border on the way to where the label says."""
    facility, recipient = shipment.facility, shipment.recipient
    return is_border_between(
        (facility.country, facility.postal_code), (recipient["country"], recipient["postal_code"])
    )


def _customs_of(parcel, sender, recipient):
    """The goods of a parcel that passes the customs. Raises CarrierError naming what nobody knows of them."""
    if not is_border_between(
        (sender.country, sender.postal_code), (recipient.country, recipient.postal_code)
    ):
        return ()
    items = parcel.package.items.select_related("line__article", "line__order_line__order")
    goods = [customs.goods_of(item.line, item.quantity) for item in items]
    if not goods:  # the address was corrected since it was packed
        raise CarrierError(
            Outcome.REJECTED,
            gettext("It holds only a part of what is in another package; customs wants units whole."),
            code="customs",
        )
    missing = [
        f"{one.sku}: {', '.join(str(customs.LABELS[name]) for name in one.missing)}"
        for one in goods
        if one.missing
    ]
    if missing:
        raise CarrierError(
            Outcome.REJECTED,
            gettext("Customs data is missing. %(articles)s") % {"articles": "; ".join(missing)},
            code="customs",
        )
    return tuple(
        CustomsLine(
            description=one.customs_description,
            quantity=one.quantity,
            weight_g=one.weight_g,
            value=f"{one.value:.2f}",
            currency=one.currency,
            hs_code=one.hs_code,
            origin=one.origin_country,
        )
        for one in goods
    )


def sender_of(facility):
    return Contact(
        name=facility.company_name,
        street=facility.street,
        house_number=facility.house_number,
        postal_code=facility.postal_code,
        city=facility.city,
        country=facility.country,
    )


def recipient_of(shipment, *, for_carrier=False):
    """The recipient. Phone and e-mail go to a carrier only when the order carries the customer's consent."""
    has_consent = for_carrier and shipment.order.custom_attributes.get(CONSENT) is True
    return _contact(Address(**shipment.recipient), has_consent=has_consent)


def returner_of(shipment):
    """Who sends goods back: the invoice address, else the postal one, be it that it was corrected here."""
    found = shipment.order.invoice_address
    if found is None or found == shipment.order.shipping_address:
        return recipient_of(shipment)
    return _contact(found)


def _contact(address, *, has_consent=False):
    return Contact(
        phone=address.phone if has_consent else "",
        email=address.email if has_consent else "",
        name=address.name,
        company=address.company if address.company != address.name else "",
        addition=address.addition,
        street=address.street,
        house_number=address.house_number,
        postal_code=address.postal_code,
        city=address.city,
        country=address.country,
        province=address.province,
    )


def language_of(shipment):
    """The customer's language, as far as the country tells."""
    return LANGUAGES.get(shipment.recipient["country"], "en")


def language_at(facility):
    """The language of the house."""
    return LANGUAGES.get(facility.country, "en")
