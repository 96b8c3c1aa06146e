"""The answer of the pick screen to a scan: over HTTP with two workers, and in the process without a server."""

import http.client
import json
import statistics
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
from tests.bench.server import running

SCANS, WARM = 300, 30
LINES = 3
SLUG = "bench-scan"


def measure():
    """Milliseconds of a scan that books one unit, at p50 and p95, and its queries; the floor is the sign-in page."""
    picker, job, code = _job_in_progress()
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(picker)
    with running() as port:
        floor = _times(port, "GET", lambda: (reverse("login"), None, {}), 200)
        cookie = {
            "Cookie": f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
        }
        token = _csrf_token(port, cookie)
        scans = _times(port, "POST", lambda: _scan(job, code, {**cookie, **token}), 200)
    inside = _times_inside(client, job, code)
    least = statistics.median(floor)
    return [
        _row("scan: floor, sign-in page", floor, 50, least, "over HTTP, no database"),
        _row("scan: answer", scans, 50, least, "over HTTP, 3 lines, one unit booked"),
        _row("scan: answer", scans, 95, least, "over HTTP; target 40 ms"),
        _row("scan: answer in the process", inside, 50, least, "without a server"),
        _row("scan: answer in the process", inside, 95, least, "without a server"),
        {"name": "scan: answer", "value": _queries(client, job, code), "unit": "queries", "note": "one scan"},
    ]


def _row(name, times, percent, least, note):
    value = statistics.quantiles(times, n=100, method="inclusive")[percent - 1]
    return {
        "name": name,
        "value": round(value, 1),
        "unit": f"ms p{percent}",
        "ratio": value / least,
        "note": note,
    }


def _job_in_progress():
    """(picker, job in progress, a code of its first line), with units enough for every scan."""
    now = timezone.now()
    facility = Facility.objects.create(
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
    picker = get_user_model().objects.create_user("bench-scan@example.com")
    Membership.objects.create(user=picker, role=Role.objects.get(key="picker"), facility=facility)
    [body] = order_bodies("scan", 1)
    codes = []
    for number, line in enumerate(body["orderLineItems"][:LINES]):
        line["quantity"] = 2 * (SCANS + WARM) + 10
        article, _created = Article.objects.get_or_create(
            sku=line["article"]["tenantArticleId"], defaults={"title": "Mug"}
        )
        codes.append(f"BENCH-{article.sku}")
        ArticleCode.objects.create(article=article, code=codes[-1])
        place = StorageLocation.objects.create(facility=facility, name=f"B-{number}", running_sequence=number)
        stock.receive(facility, article.sku, line["quantity"], location=place, by=None, now=now)
    body["deliveryPreferences"] = {"shipping": {"preselectedFacilities": [{"facilityRef": str(facility.pk)}]}}
    channel = Channel.objects.create(key="bench-scan", name="Scan")
    order = orders.place(body, channel=channel, by=None, now=now)
    routing.route_order(order.pk, by=None, now=now)
    job = PickJob.objects.get(order=order)
    picking.start(job.pk, by=picker, now=now)
    return picker, job, codes[0]


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
