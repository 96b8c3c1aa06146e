"""The answer of the pick screen to a scan: from many pickers at a fixed rate, and one after the other.

The claim: at most 10 queries, and p95 under 40 ms on PostgreSQL while 50 scans arrive each second.
"""

import http.client
import json
import statistics
import subprocess
import sys
import time
import uuid

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.models import Article, ArticleCode, Channel, Facility, Membership, Role, StorageLocation
from fulfillment.core.services import stock
from orders import services as orders
from picking import services as picking
from picking.models import PickJob
from routing import services as routing
from tests.bench.orders import order_bodies
from tests.bench.server import ROOT, running

SCANS, WARM = 300, 30
RATE, SECONDS, PICKERS = 50, 30, 10
ARRIVALS = RATE * SECONDS
LINES = 3
MOST = {"ms": 40, "queries": 10}
SLUG = "bench-scan"


def measure():
    """Milliseconds of a scan that books one unit, and its queries; the floor is the sign-in page."""
    facility = _facility()
    pickers = [_picker_at_work(facility, number) for number in range(PICKERS)]
    client, job, code = pickers[0]
    # The web server as ``deploy/Dockerfile`` starts it.
    with running(workers=2, threads=8) as port:
        floor = _times(port, "GET", lambda: (reverse("login"), None, {}), 200)
        signed_in = [_headers(port, client) for client, _job, _code in pickers]
        scans = _times(port, "POST", lambda: _scan(job, code, signed_in[0]), 200)
        plan = {
            "port": port,
            "path": reverse("picking:scan", args=[SLUG]),
            "rate": RATE,
            "pickers": [
                {"job": str(job.pk), "code": code, "headers": headers}
                for (_client, job, code), headers in zip(pickers, signed_in, strict=True)
            ],
        }
        _arrive({**plan, "scans": RATE * 2})
        arrived = _arrive({**plan, "scans": ARRIVALS})
    inside = _times_inside(client, job, code)
    least = statistics.median(floor)
    note = f"{PICKERS} pickers, {RATE} scans/s planned"
    return [
        _row("scan: at a fixed rate", arrived["ms"], 50, least, note),
        _row("scan: at a fixed rate", arrived["ms"], 95, least, f"{note}; limit {MOST['ms']} ms"),
        _row("scan: at a fixed rate", arrived["ms"], 99, least, note),
        {
            "name": "scan: at a fixed rate",
            "value": round(ARRIVALS / arrived["seconds"], 1),
            "unit": "scans/s",
            "note": "reached",
        },
        _row("scan: floor, sign-in page", floor, 50, least, "over HTTP, no database"),
        _row("scan: one after the other", scans, 50, least, "over HTTP, 3 lines, one unit booked"),
        _row("scan: one after the other", scans, 95, least, "over HTTP"),
        _row("scan: answer in the process", inside, 50, least, "without a server"),
        _row("scan: answer in the process", inside, 95, least, "without a server"),
        {
            "name": "scan: answer",
            "value": _queries(client, job, code),
            "unit": "queries",
            "note": f"one scan; limit {MOST['queries']}",
        },
    ]


def _arrive(plan):
    """Let scans arrive from a process of their own, so that sending them takes no time from who measures."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.scan_load"],
        cwd=ROOT,
        input=json.dumps(plan),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def _row(name, times, percent, least, note):
    value = statistics.quantiles(times, n=100, method="inclusive")[percent - 1]
    return {
        "name": name,
        "value": round(value, 1),
        "unit": f"ms p{percent}",
        "ratio": value / least,
        "note": note,
    }


def _facility():
    return Facility.objects.create(
        name="Bench scan",
        tenant_facility_id=SLUG,
        slug=SLUG,
        company_name="Bench",
        street="Damrak",
        postal_code="1012 LG",
        city="Amsterdam",
        country="NL",
        latitude=52.3747,
        longitude=4.8980,
    )


def _picker_at_work(facility, number):
    """(client, job in progress, a code of its first line) of a picker, with units enough for every scan."""
    now = timezone.now()
    picker = get_user_model().objects.create_user(f"bench-scan-{number}@example.com")
    Membership.objects.create(user=picker, role=Role.objects.get(key="picker"), facility=facility)
    [body] = order_bodies(f"scan-{number}", 1)
    codes = []
    for position, line in enumerate(body["orderLineItems"][:LINES]):
        line["article"]["tenantArticleId"] = sku = f"SCAN-{number}-{position}"
        line["quantity"] = 2 * (SCANS + WARM) + ARRIVALS
        article = Article.objects.create(sku=sku, title="Mug")
        codes.append(f"BENCH-{article.sku}")
        ArticleCode.objects.create(article=article, code=codes[-1])
        place = StorageLocation.objects.create(
            facility=facility, name=f"B-{number}-{position}", running_sequence=position
        )
        stock.receive(facility, article.sku, line["quantity"], location=place, by=None, now=now)
    body["deliveryPreferences"] = {"shipping": {"preselectedFacilities": [{"facilityRef": str(facility.pk)}]}}
    channel, _created = Channel.objects.get_or_create(key="bench-scan", defaults={"name": "Scan"})
    order = orders.place(body, channel=channel, by=None, now=now)
    routing.route_order(order.pk, by=None, now=now)
    job = PickJob.objects.get(order=order)
    picking.start(job.pk, by=picker, now=now)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(picker)
    return client, job, codes[0]


def _headers(port, client):
    """What a device of a person who signed in sends with each request."""
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    return {"Cookie": cookie, **_csrf_token(port, {"Cookie": cookie})}


def _csrf_token(port, cookie):
    """The header of a page's token, with the cookie that belongs to it."""
    http_client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    http_client.request("GET", reverse("picking:job-list", args=[SLUG]), headers=cookie)
    answer = http_client.getresponse()
    answer.read()
    parts = (part.split(";")[0] for part in answer.headers.get_all("Set-Cookie", []))
    token = next(part for part in parts if part.startswith(f"{settings.CSRF_COOKIE_NAME}="))
    http_client.close()
    return {"Cookie": f"{cookie['Cookie']}; {token}", "X-CSRFToken": token.partition("=")[2]}


def _body(job, code):
    return json.dumps({"id": str(uuid.uuid4()), "job": str(job.pk), "kind": "scan", "code": code})


def _scan(job, code, headers):
    path = reverse("picking:scan", args=[SLUG])
    return path, _body(job, code), {**headers, "Content-Type": "application/json"}


def _times(port, method, request, expected):
    """Milliseconds per request, one after the other over one kept connection, as one scanner sends them."""
    http_client, times = http.client.HTTPConnection("127.0.0.1", port, timeout=30), []
    for number in range(SCANS + WARM):
        path, body, headers = request()
        begin = time.perf_counter()
        http_client.request(method, path, body, headers)
        answer = http_client.getresponse()
        text = answer.read()
        if answer.status != expected:
            raise RuntimeError(f"{path} answered {answer.status}: {text[:300]!r}")
        if number >= WARM:
            times.append((time.perf_counter() - begin) * 1000)
    http_client.close()
    return times


def _post(client, job, code):
    answer = client.post(
        reverse("picking:scan", args=[SLUG]), _body(job, code), content_type="application/json"
    )
    if answer.status_code != 200:
        raise RuntimeError(answer.content[:300])


def _times_inside(client, job, code):
    times = []
    for number in range(SCANS + WARM):
        begin = time.perf_counter()
        _post(client, job, code)
        if number >= WARM:
            times.append((time.perf_counter() - begin) * 1000)
    return times


def _queries(client, job, code):
    frame = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
    with CaptureQueriesContext(connection) as queries:
        _post(client, job, code)
    return len([query for query in queries if not query["sql"].startswith(frame)])
