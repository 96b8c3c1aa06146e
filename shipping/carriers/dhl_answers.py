"""What DHL Parcel Germany answers, in our words."""

import base64
import binascii
import datetime
import re

import pypdfium2
from django.utils.translation import gettext_noop

from .base import Booking, CarrierError, Doc, Outcome, Track
from .calls import classify

TRACKING_PAGE = "https://www.dhl.de/de/privatkunden/pakete-empfangen/verfolgen.html?piececode="
# From the properties of the carrier to the fields of our form.
FIELDS = {
    "consignee.name1": "last_name",
    "consignee.name2": "company",
    "consignee.name3": "addition",
    "consignee.additionalAddressInformation1": "addition",
    "consignee.addressStreet": "street",
    "consignee.addressHouse": "house_number",
    "consignee.postalCode": "postal_code",
    "consignee.city": "city",
    "consignee.country": "country",
    "details.weight": "weight_g",
    "details.dim": "length_mm",
    "details.dim.length": "length_mm",
    "details.dim.width": "width_mm",
    "details.dim.height": "height_mm",
    "product": "product",
}
STATUSES = {
    "pre-transit": "registered",
    "transit": "transit",
    "delivered": "delivered",
    "failure": "exception",
    "unknown": "unknown",
}
# On the list of a closed day: a shipment number, and beside it our reference (the parcel's code and the attempt).
LISTED_NUMBER = re.compile(r"(?<![0-9A-Za-z-])\d{12,20}(?![0-9A-Za-z-])")
LISTED_REFERENCE = re.compile(r"(?<![0-9A-Za-z-])[0-9A-Za-z]{5,30}-\d{1,2}(?![0-9A-Za-z-])")


def booking_of(body):
    """The booking in a good answer. Raises CarrierError when the shipment failed, or has no number or no label."""
    items = (body or {}).get("items")
    item = items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else None
    if item is None:
        raise _no_sense()
    state = (item.get("sstatus") or {}).get("statusCode", (item.get("sstatus") or {}).get("status"))
    if isinstance(state, int) and state >= 400:
        message, fields = problems_of({"items": [item]})
        raise classify(state, books=True, message=message, fields=fields)
    number, label = item.get("shipmentNo"), document_of(item.get("label"))
    if not number or label is None:
        raise _no_sense()
    docs = [Doc("label", *label)]
    for kind, name in (("return_label", "returnLabel"), ("customs", "customsDoc")):
        if found := document_of(item.get(name)):
            docs.append(Doc(kind, *found))
    return Booking(
        number=str(number),
        docs=tuple(docs),
        warnings=tuple(
            f"{entry.get('property', '')}: {entry.get('validationMessage', '')}".strip(": ")
            for entry in item.get("validationMessages") or []
        ),
        return_number=str(item.get("returnShipmentNo") or ""),
        tracking_url=f"{TRACKING_PAGE}{number}",
    )


def problems_of(body):
    """(words, [(field of ours, words)]) of a refusal."""
    body = body or {}
    items = body.get("items") if isinstance(body.get("items"), list) else []
    entries = [
        entry
        for item in items
        if isinstance(item, dict)
        for entry in item.get("validationMessages") or []
        if entry.get("validationState", "Error") == "Error"
    ]
    fields, rest = [], []
    for entry in entries:
        words = str(entry.get("validationMessage", ""))
        name = FIELDS.get(str(entry.get("property", "")).removeprefix("shipments[0]."))
        if name:
            fields.append((name, words))
        else:
            rest.append(f"{entry.get('property', '')}: {words}".strip(": "))
    status = body.get("status") if isinstance(body.get("status"), dict) else {}
    words = status.get("detail") or status.get("title") or body.get("detail") or body.get("title") or ""
    return "; ".join(filter(None, [str(words), *rest])), fields


def document_of(entry):
    """(format, bytes) of one paper in the answer, None when it is not there."""
    if not isinstance(entry, dict):
        return None
    if entry.get("zpl2"):
        return "ZPL", str(entry["zpl2"]).encode()
    try:
        data = base64.b64decode(entry.get("b64") or "", validate=True)
    except (binascii.Error, ValueError):
        return None
    return ("PDF", data) if data.startswith(b"%PDF") else None


def lists_of(body):
    """The lists of a closed day as PDF."""
    found = (body or {}).get("manifest")
    documents = [document_of(entry) for entry in (found if isinstance(found, list) else [found])]
    return [data for form, data in filter(None, documents) if form == "PDF"]


def printed(data, accounts):
    """[(shipment number, our reference or "")] of a printed list. Its columns are told apart by what stands in them."""
    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise classify(500) from error
    try:
        lines = [line for page in pdf for line in page.get_textpage().get_text_range().splitlines()]
    finally:
        pdf.close()
    found = []
    for line in lines:
        references = LISTED_REFERENCE.findall(line)
        numbers = [number for number in LISTED_NUMBER.findall(line) if number not in accounts]
        own = references[0] if len(numbers) == 1 == len(references) else ""
        found += [(number, own) for number in numbers]
    return found


def _no_sense():
    return CarrierError(
        Outcome.UNKNOWN, gettext_noop("The carrier's answer has no number or no label."), code="no_label"
    )


def track_of(number, event):
    """One event on the way of a parcel, None when it says no time."""
    try:
        at = datetime.datetime.fromisoformat(event["timestamp"])
    except (KeyError, TypeError, ValueError):
        return None
    address = (event.get("location") or {}).get("address") or {}
    return Track(
        number=number,
        status=STATUSES.get(event.get("statusCode", ""), "unknown"),
        at=(at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).astimezone(datetime.UTC),
        carrier_status=str(event.get("statusCode", ""))[:60],
        description=str(event.get("description") or event.get("status") or ""),
        location=str(address.get("addressLocality") or ""),
    )
