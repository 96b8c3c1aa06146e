"""One shipping label against two floors: the same page with kept objects, and with everything built anew.

Then whole bookings by worker processes: label, return label, delivery note and all rows of a parcel.
"""

import statistics
import subprocess
import sys
import time
from unittest import mock

from django.conf import settings
from django.template.loader import render_to_string
from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher

from shipping import labels, notes
from shipping.carriers import Contact, ParcelData
from shipping.models import Parcel
from tests.factories.core import FacilityFactory
from tests.factories.shipping import parcel

ROUNDS = 40
PARCELS = 60  # per number of worker processes
WORK = """
import django, sys, time
django.setup()
from fulfillment.core import outbox
from fulfillment.core.events import delivery_for
from tests.bench import bench_label
bench_label.warm_up()
print("ready", flush=True)
sys.stdin.readline()
begin = time.process_time()
outbox.dispatch("labels", find=delivery_for)
print(time.process_time() - begin)
"""
PARCEL = ParcelData(
    reference="P0123456789A-1",
    code="106141411234567897",
    is_sscc=True,
    carrier_name="Demo",
    sender=Contact("Shop BV", "Damrak", "1", "1012 LG", "Amsterdam", "NL"),
    recipient=Contact("Anna de Vries", "Keizersgracht", "100", "1015 CN", "Amsterdam", "NL"),
    weight_g=1200,
    length_mm=200,
    width_mm=150,
    height_mm=50,
    order_number="T-1",
    number=1,
    count=1,
    language="en",
)

PAPER = {
    "language": "en",
    "sender": ["Shop BV"],
    "recipient": ["Anna de Vries"],
    "country": "NL",
    "order_number": "T-1",
    "order_date": "2 March",
    "lines": [{"sku": "A", "title": "Mug", "quantity": 1, "ordered": 1, "price": ""}],
    "parcels": ["P1"],
    "greeting": "",
    "footer": "",
    "shows_prices": False,
    "code": "P1",
    "is_sscc": False,
    "number": 1,
    "count": 1,
    "return_code": "RABC",
    "return_number": "",
    "return_text": "",
    "reasons": ["Too small"],
}


def measure():
    """Median milliseconds per label, and the ratio to the page with kept objects."""
    html, style = _page(), (settings.BASE_DIR / "templates/documents/label.css").read_text()
    fonts, fetcher = FontConfiguration(), URLFetcher(allowed_protocols={"data"})
    kept = CSS(string=style, font_config=fonts, url_fetcher=fetcher)
    ways = {
        "label: floor, kept objects": lambda: HTML(string=html, url_fetcher=fetcher).write_pdf(
            stylesheets=[kept], font_config=fonts
        ),
        "label: product": lambda: labels.render_label(PARCEL, "DEMO123456789012"),
        "label: everything built anew": lambda: HTML(string=html).write_pdf(stylesheets=[CSS(string=style)]),
    }
    notes = ("same page, finished HTML", "with template and barcodes", "the library's defaults")
    times = {name: [] for name in ways}
    for number in range(ROUNDS + 3):
        # In turns, so that a busy moment of the machine meets all of them.
        for name, render in ways.items():
            begin = time.perf_counter()
            render()
            if number >= 3:
                times[name].append((time.perf_counter() - begin) * 1000)
    floor = statistics.median(times["label: floor, kept objects"])
    rows = [
        {
            "name": name,
            "value": round(statistics.median(found), 1),
            "unit": "ms",
            "ratio": statistics.median(found) / floor,
            "note": note,
        }
        for (name, found), note in zip(times.items(), notes, strict=True)
    ]
    one, one_ms = _bookings(1)
    two, two_ms = _bookings(2)
    note = "with return label, delivery note and rows"
    return [
        *rows,
        {
            "name": "bookings, 1 worker process",
            "value": round(one),
            "unit": "/min",
            "ratio": 1.0,
            "note": note,
        },
        {
            "name": "bookings, 2 worker processes",
            "value": round(two),
            "unit": "/min",
            "ratio": two / one,
            "note": "ratio to one process",
        },
        {
            # Where others use the machine too, this still tells whether two processes are in each other's way.
            "name": "bookings, 2 worker processes: CPU",
            "value": round(two_ms),
            "unit": "ms",
            "ratio": two_ms / one_ms,
            "note": "of a booking, ratio to one process",
        },
    ]


def warm_up():
    """Draw everything once: style sheets and fonts are read when a worker starts, not with each parcel."""
    labels.render_label(PARCEL, "DEMO123456789012")
    labels.render_label(PARCEL, "DEMO123456789012", is_return=True)
    notes.render_delivery_note(PAPER, None)
    notes.render_packing_slip(PAPER, None)
    notes.render_return_slip(PAPER, None)


def _bookings(processes):
    """(parcels that so many warm worker processes label in a minute, milliseconds of CPU that they take for one)."""
    facility = FacilityFactory()
    for number in range(PARCELS):
        parcel(1, facility=facility, number=f"BENCH-{processes}-{number}")
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _process in range(processes)
    ]
    for worker in workers:
        worker.stdout.readline()
    begin = time.perf_counter()
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        worker.wait()
    seconds = time.perf_counter() - begin
    used = sum(float(worker.stdout.read() or 0) for worker in workers)
    unfinished = Parcel.objects.filter(facility=facility).exclude(status=Parcel.Status.DONE).count()
    if unfinished or any(worker.returncode for worker in workers):
        raise RuntimeError(f"{unfinished} of {PARCELS} parcels have no label.")
    return PARCELS / seconds * 60, used / PARCELS * 1000


def _page():
    """The finished HTML of the label, as the product hands it to the renderer."""
    asked = []

    def note(template, context, **options):
        asked.append((template, context))

    with mock.patch.object(labels, "render_pdf", note):
        labels.render_label(PARCEL, "DEMO123456789012")
    [(template, context)] = asked
    return render_to_string(template, context)
