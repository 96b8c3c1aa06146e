"""DHL Parcel Germany: Parcel DE Shipping (REST v2) for bookings, Unified Shipment Tracking for the way.

The carrier cannot tell whether a reference was booked, so it has no ``find``: the list of the closed day shows it
the next morning.
"""

import base64
import binascii
import datetime
import re
import threading
import time

import pypdfium2
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from django_countries import countries

from .base import Adapter, Booking, CarrierError, Credential, Doc, Listed, Outcome, Track
from .calls import body_of, call, classify, url_problems

PROFILE = "STANDARD_GRUPPENPROFIL"
TOKEN, SHIPPING, TRACKING = (
    "/parcel/de/account/auth/ropc/v1/token",
    "/parcel/de/shipping/v2",
    "/track/shipments",
)
LIMITS = {"name": 50, "street": 50, "house": 10, "city": 40, "postal_code": 10}
PAPER = "910-300-400"
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
EARLY = 60  # seconds before its end that a token is not used any more

_tokens: dict[tuple[str, str, str], tuple[str, float]] = {}
_tokens_lock = threading.Lock()


class DhlParcelDe(Adapter):
    key = "dhl_parcel_de"
    label = "DHL Paket (Germany)"
    capabilities = frozenset({"book", "list", "cancel", "return_label", "manifest", "track"})
    credentials = (
        Credential("client_id", _("API key")),
        Credential("client_secret", _("API secret")),
        Credential("username", _("user name of the business portal")),
        Credential("password", _("password of the business portal")),
    )
    default_url = "https://api-eu.dhl.com"

    def check_config(self):
        problems = url_problems(self.account.base_url) + self.account.missing(self.credentials)
        if not self.account.products:
            problems.append(gettext("Enter at least one product with its billing number, like V01PAK."))
        problems += [
            gettext("The billing number of %(product)s must have 14 digits or letters.")
            % {"product": product.key}
            for product in self.account.products
            if len(product.billing_number) != 14 or not product.billing_number.isalnum()
        ]
        if not problems:
            try:
                self._token(fresh=True)
            except CarrierError as error:
                problems.append(gettext(error.message))
        return problems

    def book(self, parcel):
        product = self.account.product(parcel.product)
        if product is None:
            raise CarrierError(
                Outcome.REJECTED,
                gettext_noop("The connection has no product that goes there."),
                code="product",
                fields=[("product", gettext_noop("Choose a product of the connection."))],
            )
        shipment = self._shipment(parcel, product)
        # First, so that a login that fails never counts as "maybe booked".
        token, is_fresh = self._token()
        response = call(
            "POST",
            self._url("/orders"),
            books=True,
            until=parcel.send_until,
            params={
                "docFormat": "ZPL2" if self.account.label_format == "ZPL" else "PDF",
                "printFormat": PAPER,
                "mustEncode": "true",
                "combine": "false",
            },
            json={"profile": PROFILE, "shipments": [shipment]},
            headers=self._headers(token),
        )
        body = body_of(response)
        if response.status_code in {200, 201, 207}:
            return self._booking(body)
        if response.status_code in {401, 403} and not is_fresh:
            # The kept token was withdrawn. Refused at the door, so nothing was booked.
            self._forget()
            raise CarrierError(
                Outcome.RETRY, gettext_noop("The carrier asks to log in again."), code="401", seconds=0
            )
        message, fields = _problems(body)
        raise classify(
            response.status_code, books=True, headers=response.headers, message=message, fields=fields
        )

    def _shipment(self, parcel, product):
        recipient, sender = parcel.recipient, parcel.sender
        _check_lengths(parcel)
        consignee = {
            **_names(recipient),
            "addressStreet": recipient.street,
            "addressHouse": recipient.house_number,
            "postalCode": recipient.postal_code,
            "city": recipient.city,
            "country": alpha_3(recipient.country),
            "state": recipient.province,
            # Only with the customer's consent; see ``parcel_data.recipient_of``.
            "phone": recipient.phone,
            "email": recipient.email,
        }
        if recipient.addition:
            # The extra address fields print abroad only.
            line = "name3" if recipient.country == "DE" else "additionalAddressInformation1"
            consignee[line] = recipient.addition
        body = {
            "product": product.key,
            "billingNumber": product.billing_number,
            "refNo": parcel.reference[:35].rjust(8, "0"),
            "shipDate": (parcel.ship_date or timezone.localdate()).isoformat(),
            "shipper": _place(sender),
            "consignee": _given(consignee),
            "details": {
                "weight": {"uom": "g", "value": parcel.weight_g},
                "dim": {
                    "uom": "mm",
                    "length": parcel.length_mm,
                    "width": parcel.width_mm,
                    "height": parcel.height_mm,
                },
            },
        }
        if returns := self.account.product("RETURN"):
            body["services"] = {
                "dhlRetoure": {
                    "billingNumber": returns.billing_number,
                    "returnAddress": _place(parcel.returns_to),
                }
            }
        if parcel.customs:
            body["customs"] = {
                "exportType": "COMMERCIAL_GOODS",
                "invoiceNo": parcel.order_number[:35],
                "postalCharges": {"currency": parcel.customs[0].currency, "value": 0},
                "items": [
                    {
                        "itemDescription": line.description[:256],
                        "countryOfOrigin": alpha_3(line.origin),
                        "hsCode": line.hs_code,
                        "packagedQuantity": line.quantity,
                        "itemValue": {"currency": line.currency, "value": float(line.value)},
                        "itemWeight": {"uom": "g", "value": line.weight_g},
                    }
                    for line in parcel.customs
                ],
            }
        return body

    def _booking(self, body):
        items = (body or {}).get("items")
        item = items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else None
        if item is None:
            raise _no_sense()
        state = (item.get("sstatus") or {}).get("statusCode", (item.get("sstatus") or {}).get("status"))
        if isinstance(state, int) and state >= 400:
            message, fields = _problems({"items": [item]})
            raise classify(state, books=True, message=message, fields=fields)
        number, label = item.get("shipmentNo"), _document(item.get("label"))
        if not number or label is None:
            raise _no_sense()
        docs = [Doc("label", *label)]
        for kind, name in (("return_label", "returnLabel"), ("customs", "customsDoc")):
            if found := _document(item.get(name)):
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

    def cancel(self, number):
        token = self._token()[0]
        response = call(
            "DELETE",
            self._url("/orders"),
            params={"profile": PROFILE, "shipment": number},
            headers=self._headers(token),
        )
        if response.status_code in {200, 204, 207}:
            items = (body_of(response) or {}).get("items") or [{}]
            state = (items[0].get("sstatus") or {}).get("statusCode", 200)
            return state < 400
        if response.status_code in {400, 404}:
            return False  # closed already, or never known
        self._refuse_login(response)
        raise classify(response.status_code, headers=response.headers)

    def manifest(self, numbers, day):
        token = self._token()[0]
        response = call(
            "POST",
            self._url("/manifests"),
            json={"profile": PROFILE, "shipmentNumbers": list(numbers)},
            headers=self._headers(token),
        )
        if response.status_code not in {200, 207}:
            self._refuse_login(response)
            message, _fields = _problems(body_of(response))
            raise classify(response.status_code, headers=response.headers, message=message)
        listed = self._list_of(day)
        if listed.status_code != 200:
            return None  # the day is closed; its list can be had at the carrier's site
        return next(iter(_lists(body_of(listed))), None)

    def listed(self, day):
        response = self._list_of(day)
        if response.status_code == 404:
            return []  # nothing left the house that day
        body = body_of(response)
        if response.status_code != 200 or body is None:
            self._refuse_login(response)
            raise classify(
                response.status_code if response.status_code >= 400 else 500, headers=response.headers
            )
        entries = body.get("items") if isinstance(body.get("items"), list) else []
        found = {
            str(entry["shipmentNo"]): str(entry.get("refNo") or "")
            for entry in entries
            if isinstance(entry, dict) and entry.get("shipmentNo")
        }
        accounts = {product.billing_number for product in self.account.products}
        for data in _lists(body):
            for number, reference in _printed(data, accounts):
                found[number] = found.get(number) or reference
        return [Listed(number, reference) for number, reference in found.items()]

    def _list_of(self, day):
        return call(
            "GET",
            self._url("/manifests"),
            params={"date": day.isoformat()},
            headers=self._headers(self._token()[0]),
        )

    def track(self, numbers):
        tracks = []
        for number in numbers:
            response = call(
                "GET",
                f"{self.account.base_url.rstrip('/')}{TRACKING}",
                params={"trackingNumber": number, "service": "parcel-de", "language": "en"},
                headers={"DHL-API-Key": self.account.credentials["client_id"]},
            )
            if response.status_code == 404:
                continue  # the carrier has not seen it yet
            if response.status_code != 200:
                raise classify(response.status_code, headers=response.headers)
            for shipment in (body_of(response) or {}).get("shipments") or []:
                tracks += [_track(number, event) for event in shipment.get("events") or [] if event]
        return [track for track in tracks if track is not None]

    # The login

    def _token(self, *, fresh=False):
        """(token, whether it was asked for now)."""
        key = self._token_key()
        with _tokens_lock:
            token, ends = _tokens.get(key, ("", 0.0))
        if token and not fresh and time.monotonic() < ends:
            return token, False
        response = call(
            "POST",
            f"{self.account.base_url.rstrip('/')}{TOKEN}",
            data={
                "grant_type": "password",
                **{one.name: self.account.credentials.get(one.name, "") for one in self.credentials},
            },
        )
        body = body_of(response)
        if response.status_code != 200 or not (body or {}).get("access_token"):
            if response.status_code in {400, 401, 403}:
                raise CarrierError(
                    Outcome.REJECTED,
                    gettext_noop("The carrier refuses the login. Check the credentials of the connection."),
                    code="login",
                )
            raise classify(
                response.status_code if response.status_code >= 400 else 500, headers=response.headers
            )
        lifetime = body.get("expires_in")
        seconds = lifetime if isinstance(lifetime, int) else 0
        with _tokens_lock:
            _tokens[key] = (body["access_token"], time.monotonic() + seconds - EARLY)
        return body["access_token"], True

    def _token_key(self):
        # A changed password is another key, so that a check tells the truth at once.
        return (
            self.account.base_url,
            self.account.credentials.get("username", ""),
            "\n".join(self.account.credentials.get(one.name, "") for one in self.credentials),
        )

    def _forget(self):
        with _tokens_lock:
            _tokens.pop(self._token_key(), None)

    def _refuse_login(self, response):
        if response.status_code in {401, 403}:
            self._forget()

    def _headers(self, token):
        return {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    def _url(self, path):
        return f"{self.account.base_url.rstrip('/')}{SHIPPING}{path}"


def alpha_3(country):
    """The code of three letters that the carrier wants: DEU for DE."""
    return countries.alpha3(country)


def _names(contact):
    first = contact.company or contact.name
    second = contact.name if contact.company and contact.company != contact.name else ""
    return {"name1": first, "name2": second}


def _place(contact):
    """A sender, or where a return goes."""
    return _given(
        {
            "name1": contact.name,
            "addressStreet": contact.street,
            "addressHouse": contact.house_number,
            "postalCode": contact.postal_code,
            "city": contact.city,
            "country": alpha_3(contact.country),
        }
    )


def _given(body):
    return {name: value for name, value in body.items() if value}


def _check_lengths(parcel):
    """Refuse what the carrier's fields do not hold: nothing is ever cut off."""
    recipient = parcel.recipient
    checked = [
        ("last_name", recipient.name, LIMITS["name"]),
        ("company", recipient.company, LIMITS["name"]),
        ("addition", recipient.addition, LIMITS["name"]),
        ("street", recipient.street, LIMITS["street"]),
        ("house_number", recipient.house_number, LIMITS["house"]),
        ("postal_code", recipient.postal_code, LIMITS["postal_code"]),
        ("city", recipient.city, LIMITS["city"]),
    ]
    fields = [
        (
            name,
            gettext("At most %(most)s characters; it has %(length)s.") % {"most": most, "length": len(value)},
        )
        for name, value, most in checked
        if len(value) > most
    ]
    if not recipient.house_number and recipient.country == "DE":
        fields.append(("house_number", gettext_noop("Enter the house number.")))
    if parcel.weight_g < 1:
        fields.append(("weight_g", gettext_noop("Enter the weight.")))
    if fields:
        raise CarrierError(
            Outcome.REJECTED,
            gettext_noop("The address does not fit into the carrier's fields."),
            code="limits",
            fields=fields,
        )


def _problems(body):
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


def _document(entry):
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


def _lists(body):
    """The lists of a closed day as PDF."""
    found = (body or {}).get("manifest")
    documents = [_document(entry) for entry in (found if isinstance(found, list) else [found])]
    return [data for form, data in filter(None, documents) if form == "PDF"]


def _printed(data, accounts):
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


def _track(number, event):
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


ADAPTER = DhlParcelDe
