"""What the fakes share: orders in neutral words, faults on request, and a server for those who want bytes on a wire."""

import contextlib
import dataclasses
import datetime
import itertools
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

START = datetime.datetime(2026, 11, 2, 9, 0, tzinfo=datetime.UTC)
ANNA = {
    "first_name": "Anna",
    "last_name": "Müller",
    "company": "",
    "street": "Schönhauser Allee",
    "house_number": "12a",
    "addition": "Hinterhaus",
    "postal_code": "10119",
    "city": "Berlin",
    "country": "DE",
    "phone": "+49 30 123456",
}


@dataclasses.dataclass
class Item:
    """A line of an order, in neutral words."""

    sku: str
    quantity: int = 1
    title: str = "Mug"
    price: str = "12.50"
    shipped: int = 0
    cancelled: int = 0
    is_unwanted: bool = False  # its customer asks to cancel it
    id: str = ""
    attributes: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Order:
    """An order as a shop keeps it. A fake turns it into what its source sends."""

    id: str
    number: str
    items: list[Item]
    updated_at: datetime.datetime
    created_at: datetime.datetime = START
    version: int = 1
    email: str = "anna@example.com"
    address: dict[str, str] | None = dataclasses.field(default_factory=lambda: dict(ANNA))
    addresses: list[dict[str, str]] = dataclasses.field(default_factory=list)  # one per item, for ship groups
    currency: str = "EUR"
    method: str = "standard"
    note: str = ""
    is_released: bool = True
    is_cancelled: bool = False
    shipments: list[dict[str, Any]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Fault:
    """What happens instead of, or after, the next matching call."""

    answer: httpx.Response | None = None
    is_lost: bool = False  # the call is accepted, its answer never comes
    match: Callable[[httpx.Request], bool] = lambda request: True


class FakeSource:
    """A shop. Subclasses answer calls and say how their orders look.

    Attributes:
        has_webhooks, has_ship_groups: what the source knows.
        sends_signals: its webhooks only name an order.
        names_units: whether it is told which units are in a parcel.
        takes_collected: whether it can be told that a customer took goods along.
        takes_more_numbers: whether it can be told several tracking numbers of the same units.
        takes_missing_units: whether it can be told that units of a line will not come.
        page_size: orders on a page, small so that tests see several.
    """

    kind = ""
    has_webhooks = True
    has_ship_groups = False
    sends_signals = False
    takes_collected = True
    takes_more_numbers = True
    takes_missing_units = True
    names_units = True

    def __init__(self, *, base_url="https://shop.test", page_size=2):
        self.base_url, self.page_size = base_url, page_size
        self.orders: dict[str, Order] = {}
        self.faults: list[Fault] = []
        self.requests: list[httpx.Request] = []
        self.token, self.token_number = "", 0
        self.clock = START
        self.sleeps: list[float] = []  # what a caller would have waited
        self._ids = itertools.count(1001)
        self._deliveries = itertools.count(1)
        self._lock = threading.RLock()

    # What the shop's people do

    def new_order(self, *items, **fields):
        """An order of (SKU, units) pairs or ``Item``; one mug when none is given."""
        number = next(self._ids)
        given = [item if isinstance(item, Item) else Item(*item) for item in items or [("SKU-1", 1)]]
        for position, item in enumerate(given, start=1):
            item.id = item.id or self.line_id(number, position)
        order = Order(
            **{
                "id": self.order_id(number),
                "number": str(number),
                "items": given,
                "updated_at": self.tick(),
                **fields,
            }
        )
        self.orders[order.id] = order
        return order

    def change(self, order, **fields):
        """Change an order; its time and version go on."""
        for name, value in fields.items():
            setattr(order, name, value)
        order.version += 1
        order.updated_at = self.tick()
        return order

    def tick(self):
        self.clock += datetime.timedelta(seconds=30)
        return self.clock

    def order_id(self, number):
        return str(number)

    def line_id(self, number, position):
        return f"{number}{position:03}"

    # What a kind says

    def settings(self):
        """Settings of a connection to this shop."""
        raise NotImplementedError

    def credentials(self):
        raise NotImplementedError

    def payload(self, order):
        """The order as a webhook or a read brings it."""
        raise NotImplementedError

    def page(self, *orders):
        """A page of a poll with these orders, as the source answers it."""
        raise NotImplementedError

    def webhook(self, order, topic=None, *, key=None):
        """(headers, body) of a signed webhook about an order."""
        raise NotImplementedError

    def signal(self, order):
        """(headers, body) of a webhook that only names an order."""
        return self.webhook(order)

    def forged_webhook(self, order):
        """(headers, body) of a webhook that is not from this source."""
        raise NotImplementedError

    def foreign_webhook(self, order):
        """(headers, body) of a webhook that is well signed, but not for this connection."""
        raise NotImplementedError

    def answer(self, request):
        """The answer to a call, by the method of the kind."""
        raise NotImplementedError

    # Calls

    def handle(self, request):
        request.read()
        with self._lock:
            self.requests.append(request)
            fault = next((fault for fault in self.faults if fault.match(request)), None)
            if fault is not None:
                self.faults.remove(fault)
                if fault.answer is not None:
                    return fault.answer
            answer = self.answer(request)
        if fault is not None and fault.is_lost:
            raise httpx.ReadTimeout("The answer is lost.", request=request)
        return answer

    def transport(self):
        return httpx.MockTransport(self.handle)

    def fail(self, status, *, body=None, headers=None, match=None):
        """Answer the next matching call with an error."""
        answer = httpx.Response(status, json=body if body is not None else {}, headers=headers or {})
        self.faults.append(Fault(answer=answer, match=match or self.is_call))

    def lose_answer(self, match=None):
        """Accept the next shipment, or the next call that matches, but never answer."""
        self.faults.append(Fault(is_lost=True, match=match or self.is_write))

    def conflict(self):
        """The next shipment meets somebody else's change (409)."""
        self.fail(409, body=self.refusal("It was changed meanwhile."), match=self.is_write)

    def refusal(self, words):
        """The body of a refusal, as the source words it."""
        raise NotImplementedError

    def expire_token(self):
        """The token that was given out is worth nothing any more."""
        self.token = ""

    def is_call(self, request):
        return not self.is_sign_in(request)

    def is_write(self, request):
        raise NotImplementedError

    def is_short(self, request):
        """Whether a call reports missing units."""
        return False

    def missing(self, order):
        """{line id: units} that the shop was told are missing."""
        return {}

    def numbers(self, order):
        """Every tracking number that the shop has of an order."""
        return [shipment["tracking"] for shipment in order.shipments]

    def is_sign_in(self, request):
        return "token" in request.url.path

    def new_token(self):
        self.token_number += 1
        self.token = f"token-{self.token_number}"
        return self.token

    @contextlib.contextmanager
    def serving(self):
        """Listen on a free port of this machine; ``base_url`` is then its address."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.base_url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self.base_url
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _handler(fake):
    class Handler(BaseHTTPRequestHandler):
        def do(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = httpx.Request(
                self.command, fake.base_url + self.path, headers=dict(self.headers.items()), content=body
            )
            answer = fake.handle(request)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do  # noqa: N815 - names of the base class

        def log_message(self, *_words):
            """The demo prints its own story."""

    return Handler


def to_json(value):
    return json.dumps(value, ensure_ascii=False).encode()
