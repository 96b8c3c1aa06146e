"""The bulk import: orders per second of one worker, and its peak memory, for 1,000 and 10,000 orders."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from django.conf import settings

from fulfillment.core.models import Article, Channel
from tests.bench.orders import order_bodies

SIZES = [1_000, 10_000]
# A process of its own per size, so that its peak is that of this size alone.
WORK = """
import gc, json, re, resource, sys, time
from pathlib import Path
import django
django.setup()
gc.freeze()  # as the worker does
from django.utils import timezone
from fulfillment.core.models import Channel
from orders import bulk
from orders.events import BulkReceived
def peak():
    # On Linux ``ru_maxrss`` begins with what the parent had.
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

channel = Channel.objects.get(key="bench-bulk")
begin = time.perf_counter()
with open(sys.argv[1], "rb") as stream:
    received, _is_new = bulk.receive(
        stream, channel=channel, by=None, caller="bench", key=None, facility_ids=None, is_dry_run=False,
        now=timezone.now(),
    )
middle = time.perf_counter()
bulk.work_off(BulkReceived(bulk_id=received.pk))
end = time.perf_counter()
received.refresh_from_db()
print(json.dumps({
    "counts": received.counts,
    "receive": middle - begin,
    "work": end - middle,
    "kilobytes": peak(),
}))
"""


def measure():
    Channel.objects.create(key="bench-bulk", name="Bulk")
    Article.objects.bulk_create(
        (Article(sku=f"SKU-{n:04}", title="Mug") for n in range(100)), ignore_conflicts=True
    )
    rows = []
    for size in SIZES:
        for form in ("lines", "array"):
            rows += _measure(size, form)
    return rows


def _measure(size, form):
    orders = [json.dumps(order) for order in order_bodies(f"bulk-{form}-{size}", size)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders"
        path.write_text("\n".join(orders) if form == "lines" else "[" + ",\n".join(orders) + "]")
        done = subprocess.run(
            [sys.executable, "-c", WORK, str(path)],
            cwd=settings.BASE_DIR,
            env=os.environ,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    if found["counts"] != {"CREATED": size}:
        raise RuntimeError(f"Not all orders were created: {found['counts']}")
    name = f"bulk: {size:,} orders, JSON {form}"
    return [
        {"name": name, "value": round(size / found["work"], 1), "unit": "orders/s", "note": "one worker"},
        {"name": name, "value": round(size / found["receive"], 1), "unit": "orders/s", "note": "received"},
        {"name": name, "value": round(found["kilobytes"] / 1024, 1), "unit": "MB", "note": "peak memory"},
    ]
