"""A carrier's server on loopback: counts what is booked with it and answers as a test wants."""

import base64
import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from shipping import labels
from shipping.carriers import Contact, ParcelData

PARCEL = ParcelData(
    reference="P0123456789A-1",
    code="P0123456789A",
    is_sscc=False,
    carrier_name="Stub",
    sender=Contact("Shop GmbH", "Hauptstraße", "1", "50667", "Köln", "DE"),
    recipient=Contact("Anna Vries", "Unter den Linden", "77", "10117", "Berlin", "DE"),
    weight_g=1200,
    length_mm=200,
    width_mm=150,
    height_mm=50,
    order_number="T-1",
    number=1,
    count=1,
    language="de",
    product="V01PAK",
)
ZPL = "^XA^BY3^FO50,50^BCN,200,N,N,N,A^FD{}^FS^XZ"


class Cut(Exception):
    """Close the connection without an answer."""


class Asked:
    """One request: method, path, query, JSON or form body."""

    def __init__(self, method, path, headers, body):
        parts = urlsplit(path)
        self.method, self.path, self.query, self.body = method, parts.path, parse_qs(parts.query), body
        self.headers = {name.lower(): value for name, value in headers.items()}

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def form(self):
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


class Carrier:
    """Base of the stubs. ``answer``: None to book, or (status, headers, bytes), or ``Cut``, for the booking call only.

    ``orders`` holds the references of what was posted to be booked, in their order.
    """

    def __init__(self):
        self.asked: list[Asked] = []
        self.orders: list[str] = []
        self.answer = None
        self.delay = 0.0
        self.lock = threading.Lock()
        self.url = ""

    def respond(self, asked):
        """(status, headers, bytes) for a request; may raise ``Cut``."""
        raise NotImplementedError

    def booking(self, reference, answer):
        """Count an order and answer it as the test wants."""
        with self.lock:
            self.orders.append(reference)
        time.sleep(self.delay)
        wanted = self.answer
        if wanted is Cut:
            raise Cut
        return wanted if wanted is not None else answer()

    def label_pdf(self, number):
        with self.lock:
            return labels.render_label(PARCEL, number)

    @contextlib.contextmanager
    def listening(self, port=0):
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = Asked(self.command, self.path, self.headers, body)
                with stub.lock:
                    stub.asked.append(asked)
                try:
                    status, headers, content = stub.respond(asked)
                except Cut:
                    self.close_connection = True
                    self.connection.close()
                    return
                head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(
                        f"HTTP/1.1 {status} X\r\n{head}Content-Length: {len(content)}\r\n\r\n".encode()
                        + content
                    )

            do_GET = do_POST = do_DELETE = serve

            def log_message(self, *arguments):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                pass  # the other side gave up waiting

        with Server(("127.0.0.1", port), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_address[1]}"
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()


def answer(status, body, **headers):
    """An answer with a JSON body."""
    return status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode()


class DhlStub(Carrier):
    """Parcel DE Shipping, its login, and the tracking."""

    def __init__(self):
        super().__init__()
        self.login = 200
        self.events: dict[str, list] = {}
        self.listed: dict[str, dict] = {}  # what stands on the list of a closed day, in the carrier's form

    def respond(self, asked):
        if asked.path.endswith("/ropc/v1/token"):
            if self.login != 200:
                return answer(self.login, {"error": "invalid_grant"})
            return answer(200, {"access_token": "T", "token_type": "Bearer", "expires_in": 1799})
        if asked.path == "/track/shipments":
            number = asked.query["trackingNumber"][0]
            if number not in self.events:
                return answer(404, {"title": "No result found"})
            return answer(200, {"shipments": [{"id": number, "events": self.events[number]}]})
        if asked.path.endswith("/orders") and asked.method == "POST":
            return self._book(asked)
        if asked.path.endswith("/orders") and asked.method == "DELETE":
            return answer(200, {"items": [{"sstatus": {"title": "ok", "statusCode": 200}}]})
        if asked.path.endswith("/manifests") and asked.method == "POST":
            return answer(200, {"status": {"title": "ok", "statusCode": 200}})
        if asked.path.endswith("/manifests"):
            if self.listed:
                body = self.listed.get(asked.query["date"][0])
                return answer(200, body) if body else answer(404, {"title": "no list"})
            listed = base64.b64encode(b"%PDF-1.7 list").decode()
            return answer(200, {"manifestDate": asked.query["date"][0], "manifest": [{"b64": listed}]})
        return answer(404, {"title": "no such path"})

    def _book(self, asked):
        reference = asked.json["shipments"][0]["refNo"]
        is_zpl = asked.query["docFormat"][0] == "ZPL2"
        return self.booking(reference, lambda: answer(200, self.booked(reference, is_zpl)))

    def booked(self, reference, is_zpl=False, messages=()):
        number = f"0034{abs(hash(reference)) % 10**12:012d}"

        def paper(code):
            if is_zpl:
                return {"zpl2": ZPL.format(code), "fileFormat": "ZPL2"}
            return {"b64": base64.b64encode(self.label_pdf(code)).decode(), "fileFormat": "PDF"}

        return {
            "status": {"title": "ok", "statusCode": 200},
            "items": [
                {
                    "shipmentNo": number,
                    "returnShipmentNo": f"9{number}",
                    "sstatus": {"title": "ok", "statusCode": 200},
                    "label": paper(number),
                    "returnLabel": paper(f"9{number}"),
                    "validationMessages": list(messages),
                }
            ],
        }


class EasyPostStub(Carrier):
    """Shipments with prices, their purchase, trackers and scan forms; ``POST .../buy`` is the booking."""

    def __init__(self):
        super().__init__()
        self.shipments: dict[str, dict] = {}
        self.books_before_answer = False
        self.trackers: list[dict] = []

    def respond(self, asked):
        path = asked.path.removeprefix("/v2")
        if path.startswith("/labels/"):
            data = self.label_pdf(path.rsplit("/", 1)[1])
            return 200, {"Content-Type": "application/pdf"}, data
        if asked.headers.get("authorization") != "Bearer KEY":
            return answer(401, {"error": {"code": "APIKEY.INVALID", "message": "This key is invalid."}})
        if path == "/shipments" and asked.method == "POST":
            return self._offer(asked.json["shipment"])
        if path == "/trackers":
            return answer(200, {"trackers": self.trackers, "has_more": False})
        if path == "/scan_forms":
            return answer(201, {"id": "sf_1", "form_url": f"{self.url}/v2/labels/FORM"})
        found = self.shipments.get(path.split("/")[2]) or next(
            (one for one in self.shipments.values() if one["reference"] == path.split("/")[2]), None
        )
        if found is None:
            return answer(404, {"error": {"code": "NOT_FOUND", "message": "The shipment was not found."}})
        if path.endswith("/refund"):
            return answer(200, {**found, "refund_status": "submitted"})
        if path.endswith("/buy"):
            return self._buy(found)
        return answer(200, found)

    def _offer(self, sent):
        with self.lock:
            key = f"shp_{len(self.shipments) + 1}"
            self.shipments[key] = {
                "id": key,
                "object": "Shipment",
                "reference": sent["reference"],
                "rates": [
                    {"id": "rate_2", "carrier": "UPS", "service": "Ground", "rate": "9.10"},
                    {"id": "rate_1", "carrier": "USPS", "service": "Priority", "rate": "7.58"},
                ],
                "messages": [],
                "postage_label": None,
                "tracking_code": None,
            }
        return answer(201, self.shipments[key])

    def _buy(self, shipment):
        def bought():
            number = f"EZ{shipment['id'].removeprefix('shp_').zfill(10)}"
            shipment["tracking_code"] = number
            shipment["postage_label"] = {"label_url": f"{self.url}/v2/labels/{number}"}
            shipment["tracker"] = {"public_url": f"https://track.easypost.com/{number}"}
            return answer(200, shipment)

        if self.books_before_answer:
            bought()
        return self.booking(shipment["reference"], bought)
