"""EasyPost: many carriers behind one account, through its own SDK.

A booking has two calls: the shipment with its prices, which costs nothing, and the purchase, which is the booking.
A return label is a booking of its own, made when the parcel is booked; without it the parcel is booked all the same.
Our reference stands on the shipment, so a purchase whose answer was lost can be looked up by it.
"""

import dataclasses
import datetime

import easypost
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from easypost.errors import (
    ApiError,
    EasyPostError,
    HttpError,
    JsonError,
    NotFoundError,
    RateLimitError,
    SignatureVerificationError,
)
from easypost.errors import TimeoutError as SdkTimeoutError
from easypost.util import validate_webhook
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ConnectTimeout

from .base import Adapter, Booking, CarrierError, Credential, Doc, NotSigned, Outcome, Track
from .calls import CONNECT_SECONDS, READ_SECONDS, check_in_time, classify, download, url_problems

# The product of a connection whose parcels get a return label, and what its reference ends with.
RETURN, BACK = "RETURN", "-R"
NO_RETURN_LABEL = gettext_noop("No return label.")
GRAMS_PER_OUNCE, MILLIMETRES_PER_INCH = 28.349523125, 25.4
FIELDS = {
    "to_address.name": "last_name",
    "to_address.company": "company",
    "to_address.street1": "street",
    "to_address.street2": "addition",
    "to_address.city": "city",
    "to_address.state": "city",
    "to_address.zip": "postal_code",
    "to_address.country": "country",
    "parcel.weight": "weight_g",
    "parcel.length": "length_mm",
    "parcel.width": "width_mm",
    "parcel.height": "height_mm",
}
STATUSES = {
    "unknown": "unknown",
    "pre_transit": "registered",
    "in_transit": "transit",
    "out_for_delivery": "out_for_delivery",
    "delivered": "delivered",
    "available_for_pickup": "awaits_pickup_by_receiver",
    "return_to_sender": "not_delivered",
    "failure": "exception",
    "cancelled": "canceled",
    "error": "exception",
}


class EasyPost(Adapter):
    key = "easypost"
    label = "EasyPost"
    capabilities = frozenset({"book", "find", "cancel", "return_label", "manifest", "track", "webhook"})
    credentials = (Credential("api_key", _("API key")),)
    default_url = "https://api.easypost.com"

    def check_config(self):
        problems = url_problems(self.account.base_url) + self.account.missing(self.credentials)
        if not problems:
            try:
                self._ask(lambda client: client.tracker.all(page_size=1))
            except CarrierError as error:
                problems.append(gettext(error.message))
        return problems

    def book(self, parcel):
        bought = self._buy(self._shipment(parcel), parcel.product, parcel.send_until)
        booking = self._booking(bought)
        if booking is None:
            raise CarrierError(
                Outcome.UNKNOWN,
                gettext_noop("The carrier's answer has no number or no label."),
                code="no_label",
            )
        if not self._has_returns:
            return booking
        try:
            body = self._shipment(parcel, is_return=True)
            back = self._booking(self._buy(body, "", parcel.send_until))
        except CarrierError as error:
            # The parcel is booked, whatever became of its return label.
            return dataclasses.replace(booking, warnings=(*booking.warnings, NO_RETURN_LABEL, error.message))
        return _with_return(booking, back)

    @property
    def _has_returns(self):
        return self.account.product(RETURN) is not None

    def _buy(self, body, product, until):
        """The shipment that was bought: its prices cost nothing, the purchase is the booking."""
        offer = self._ask(lambda client: client.shipment.create(**body))
        if not offer.get("id"):
            raise CarrierError(
                Outcome.RETRY, gettext_noop("The carrier's answer has no shipment."), code="no_shipment"
            )
        rate = self._rate(offer, product)
        return self._ask(
            lambda client: client.shipment.buy(offer["id"], rate={"id": rate["id"]}),
            books=True,
            until=until,
        )

    def _shipment(self, parcel, *, is_return=False):
        """What is asked for. The carrier exchanges the addresses of a return itself."""
        product = self.account.product(RETURN if is_return else parcel.product)
        body = {
            "reference": f"{parcel.reference}{BACK}" if is_return else parcel.reference,
            "to_address": _address(parcel.recipient),
            "from_address": _address(parcel.returns_to if is_return else parcel.sender),
            "parcel": {
                # Rounded up: a parcel that weighs more than its label says costs extra.
                "weight": -(-parcel.weight_g * 10 // GRAMS_PER_OUNCE) / 10,
                "length": round(parcel.length_mm / MILLIMETRES_PER_INCH, 1),
                "width": round(parcel.width_mm / MILLIMETRES_PER_INCH, 1),
                "height": round(parcel.height_mm / MILLIMETRES_PER_INCH, 1),
            },
            "options": {
                "label_format": self.account.label_format,
                "invoice_number": parcel.order_number[:40],
            },
        }
        if product and product.billing_number:
            body["carrier_accounts"] = [product.billing_number]
        if is_return:
            body["is_return"] = True
        if parcel.customs:
            body["customs_info"] = {
                "contents_type": "merchandise",
                "customs_certify": True,
                "customs_signer": parcel.sender.name,
                "eel_pfc": "NOEEI 30.37(a)",
                "restriction_type": "none",
                "non_delivery_option": "return",
                "customs_items": [
                    {
                        "description": line.description,
                        "quantity": line.quantity,
                        "weight": -(-line.weight_g * line.quantity * 10 // GRAMS_PER_OUNCE) / 10,
                        "value": float(line.value) * line.quantity,
                        "currency": line.currency,
                        "hs_tariff_number": line.hs_code,
                        "origin_country": line.origin,
                    }
                    for line in parcel.customs
                ],
            }
        return body

    def _rate(self, offer, product):
        """The price of the wanted product, written ``Carrier Service``; the lowest one when none is wanted."""
        rates = [
            rate
            for rate in offer.get("rates") or []
            if not product or f"{rate['carrier']} {rate['service']}".casefold() == product.casefold()
        ]
        if not rates:
            told = [str(entry.get("message", "")) for entry in offer.get("messages") or []]
            raise CarrierError(
                Outcome.REJECTED,
                "; ".join(filter(None, told)) or gettext_noop("No carrier of the account offers this."),
                code="no_rates",
                fields=[("product", gettext_noop("No price for this product."))] if product else (),
            )
        return min(rates, key=lambda rate: float(rate["rate"]))

    def _booking(self, shipment):
        """The booking of a shipment that was bought, None when it was not."""
        label = shipment.get("postage_label") or {}
        number = shipment.get("tracking_code")
        if not number or not label.get("label_url"):
            return None
        wanted = self.account.label_format
        url = label.get(f"label_{wanted.lower()}_url") or label["label_url"]
        data = download(url)
        if not data.startswith(b"%PDF" if wanted == "PDF" else b"^XA"):
            raise CarrierError(Outcome.UNKNOWN, f"The label is no {wanted}.", code="format")
        return Booking(
            number=str(number),
            docs=(Doc("label", wanted, data),),
            warnings=tuple(
                str(entry.get("message", ""))
                for entry in shipment.get("messages") or []
                if entry.get("message")
            ),
            tracking_url=str((shipment.get("tracker") or {}).get("public_url") or ""),
            carrier_reference=str(shipment.get("id") or ""),
        )

    def find(self, reference):
        shipment = self._retrieve(reference)
        booking = shipment and self._booking(shipment)
        if not booking or not self._has_returns:
            return booking
        back = self._retrieve(f"{reference}{BACK}")
        return _with_return(booking, back and self._booking(back))

    def _retrieve(self, reference):
        """The shipment with this reference, None when there is none."""
        try:
            return self._ask(lambda client: client.shipment.retrieve(reference))
        except CarrierError as error:
            if error.code == "404":
                return None
            raise

    def cancel(self, number):
        shipment = self._refund(number)
        if shipment is None:
            return False
        if self._has_returns:
            back = self._retrieve(f"{shipment.get('reference')}{BACK}")
            if back and back.get("tracking_code") and self._refund(back["id"]) is None:
                return False
        return shipment.get("refund_status") in {"submitted", "refunded"}

    def _refund(self, number):
        """The shipment whose money was asked back, None when the carrier keeps it."""
        try:
            return self._ask(lambda client: client.shipment.refund(number))
        except CarrierError as error:
            if error.outcome is Outcome.REJECTED and error.code not in {"401", "403"}:
                return None
            raise

    def manifest(self, numbers, day):
        form = self._ask(
            lambda client: client.scan_form.create(shipments=[{"id": number} for number in numbers])
        )
        return download(form["form_url"]) if form.get("form_url") else None

    def track(self, numbers):
        found = self._ask(lambda client: client.tracker.all(tracking_codes=list(numbers), page_size=100))
        return [track for tracker in found.get("trackers") or [] for track in _tracks(tracker)]

    def read_webhook(self, body, headers):
        try:
            event = validate_webhook(
                body,
                {"X-Hmac-Signature": headers.get("x-hmac-signature")},
                self.account.webhook_secret,
            )
        except SignatureVerificationError as error:
            raise NotSigned from error
        tracker = event.get("result") if isinstance(event, dict) else None
        if not isinstance(tracker, dict) or tracker.get("object") != "Tracker":
            return []
        return list(_tracks(tracker))

    def _ask(self, step, *, books=False, until=None):
        """Run a step of the SDK and say in our words what went wrong."""
        headers: dict = {}
        client = easypost.EasyPostClient(
            self.account.credentials["api_key"],
            api_base=f"{self.account.base_url.rstrip('/')}/v2",
            timeout=(CONNECT_SECONDS, READ_SECONDS),  # type: ignore[arg-type]
        )
        client.subscribe_to_response_hook(lambda **answer: headers.update(answer.get("headers") or {}))
        _ask_once(client)
        check_in_time(until)
        try:
            return step(client)
        except ApiError as error:
            raise _failure(error, headers, books=books) from error
        except EasyPostError as error:
            raise CarrierError(
                Outcome.UNKNOWN if books else Outcome.RETRY, str(error)[:500], code="sdk"
            ) from error
        finally:
            client._requests_session.close()


def _with_return(booking, back):
    """A booking with the label of its return, when that was bought."""
    if back is None:
        return dataclasses.replace(booking, warnings=(*booking.warnings, NO_RETURN_LABEL))
    label = dataclasses.replace(back.docs[0], kind="return_label")
    return dataclasses.replace(booking, docs=(*booking.docs, label), return_number=back.number)


def _ask_once(client):
    """The SDK tries a request three more times and follows redirects; a booking goes out once."""
    session = client._requests_session
    session.adapters.clear()
    session.max_redirects = 0
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=0))


def _failure(error, headers, *, books):
    if isinstance(error, HttpError | SdkTimeoutError) and error.http_status is None:
        if _never_sent(error.__context__):
            return CarrierError(
                Outcome.RETRY, gettext_noop("The carrier cannot be reached."), code="unreachable"
            )
        return CarrierError(
            Outcome.UNKNOWN if books else Outcome.RETRY,
            gettext_noop("The carrier did not answer in time."),
            code="no_answer",
        )
    if isinstance(error, JsonError):
        return CarrierError(
            Outcome.UNKNOWN if books else Outcome.RETRY,
            gettext_noop("The carrier's answer makes no sense."),
            code="no_json",
        )
    fields = [
        (FIELDS[name], str(entry.get("message", "")))
        for entry in error.errors or []
        if isinstance(entry, dict)
        and (name := str(entry.get("field", "")).removeprefix("shipment.")) in FIELDS
    ]
    low = {name.lower(): value for name, value in headers.items()}
    message = "" if isinstance(error, RateLimitError) else error.message
    if isinstance(error, NotFoundError):
        message = message or gettext_noop("The carrier does not know it.")
    return classify(error.http_status or 500, books=books, headers=low, message=message, fields=fields)


def _never_sent(error):
    """Whether a connection was not even made."""
    if isinstance(error, ConnectTimeout):
        return True
    if not isinstance(error, RequestsConnectionError) or not error.args:
        return False
    reason = getattr(error.args[0], "reason", None)
    return type(reason).__name__ in {"NewConnectionError", "NameResolutionError", "ConnectTimeoutError"}


def _address(contact):
    body = {
        "name": contact.name,
        "company": contact.company,
        "street1": f"{contact.street} {contact.house_number}".strip(),
        "street2": contact.addition,
        "city": contact.city,
        "state": contact.province,
        "zip": contact.postal_code,
        "country": contact.country,
        # Only with the customer's consent; see ``parcel_data.recipient_of``.
        "phone": contact.phone,
        "email": contact.email,
    }
    return {name: value for name, value in body.items() if value}


def _tracks(tracker):
    number = str(tracker.get("tracking_code") or "")
    for event in tracker.get("tracking_details") or []:
        try:
            at = datetime.datetime.fromisoformat(str(event.get("datetime")))
        except ValueError:
            continue
        place = event.get("tracking_location") or {}
        yield Track(
            number=number,
            status=STATUSES.get(str(event.get("status")), "unknown"),
            at=(at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).astimezone(datetime.UTC),
            carrier_status=str(event.get("status_detail") or event.get("status") or "")[:60],
            description=str(event.get("message") or ""),
            location=", ".join(str(place[part]) for part in ("city", "country") if place.get(part)),
        )


ADAPTER = EasyPost
