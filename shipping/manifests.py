"""What the list of a load says that a driver signed, and how it is drawn."""

from django.utils import timezone, translation
from django.utils.formats import date_format

from fulfillment.core.pdf import png_address, render_pdf

from .parcel_data import language_at

VERSION = "manifest-1"


def snapshot_of(load):
    """What the list says, in the language of the house."""
    facility = load.facility
    loaded = list(load.loaded.select_related("parcel__shipment").order_by("loaded_at", "pk"))
    language = language_at(facility)
    with translation.override(language):
        closed = timezone.localtime(load.closed_at, facility.tz)
        left_at = date_format(closed, "SHORT_DATETIME_FORMAT")
    return {
        "language": language,
        "carrier": load.carrier.name,
        "facility": [
            facility.company_name,
            f"{facility.street} {facility.house_number}".strip(),
            f"{facility.postal_code} {facility.city}",
        ],
        "left_at": left_at,
        "driver": load.driver_name,
        "is_signed": bool(load.signature_sha256),
        "kilograms": f"{sum(one.parcel.weight_g for one in loaded) / 1000:.2f}",
        "parcels": [
            {
                "code": one.parcel.code,
                "number": one.parcel.tracking_number,
                "place": f"{one.parcel.shipment.recipient['postal_code']} {one.parcel.shipment.recipient['city']}",
                "country": one.parcel.shipment.recipient["country"],
                "kilograms": f"{one.parcel.weight_g / 1000:.2f}",
            }
            for one in loaded
        ],
        "signature": load.signature_sha256,
    }


def render(snapshot, signature=None):
    """The list as PDF: out of its snapshot alone, so that it can be drawn again."""
    return render_pdf(
        "documents/manifest.html",
        {**snapshot, "picture": png_address(signature)},
        stylesheet="documents/paper.css",
        language=snapshot["language"],
    )
