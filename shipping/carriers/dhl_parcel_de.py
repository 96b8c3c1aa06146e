"""DHL Parcel Germany: Parcel DE Shipping (REST v2) for bookings, Unified Shipment Tracking for the way.

The carrier cannot tell whether a reference was booked, so it has no ``find``: the list of the closed day shows it
the next morning.
"""

import threading
import time

from django.utils import timezone
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from django_countries import countries

from .base import Adapter, CarrierError, Credential, Listed, Outcome
from .calls import body_of, call, classify, url_problems
from .dhl_answers import booking_of, lists_of, printed, problems_of, track_of

PROFILE = "STANDARD_GRUPPENPROFIL"
TOKEN, SHIPPING, TRACKING = (
    "/parcel/de/account/auth/ropc/v1/token",
    "/parcel/de/shipping/v2",
    "/track/shipments",
)
LIMITS = {"name": 50, "street": 50, "house": 10, "city": 40, "postal_code": 10}
PAPER = "910-300-400"
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
            return booking_of(body)
        if response.status_code in {401, 403} and not is_fresh:
            # The kept token was withdrawn. Refused at the door, so nothing was booked.
            self._forget()
            raise CarrierError(
                Outcome.RETRY, gettext_noop("The carrier asks to log in again."), code="401", seconds=0
            )
        message, fields = problems_of(body)
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
            message, _fields = problems_of(body_of(response))
            raise classify(response.status_code, headers=response.headers, message=message)
        listed = self._list_of(day)
        if listed.status_code != 200:
            return None  # the day is closed; its list can be had at the carrier's site
        return next(iter(lists_of(body_of(listed))), None)

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
        for data in lists_of(body):
            for number, reference in printed(data, accounts):
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
                tracks += [track_of(number, event) for event in shipment.get("events") or [] if event]
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


ADAPTER = DhlParcelDe
