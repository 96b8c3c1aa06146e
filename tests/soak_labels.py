"""Workers are killed in the middle of many label requests: ``make soak-labels``.

Twice: with the demo carrier, which can be asked what it booked, and with a carrier on loopback that cannot. Prints what
became of the parcels: each has exactly one label, or waits for a person, and the carrier counted one order per reference.
``PARCELS=`` and ``WORKERS=`` choose how many; ``DATABASE_URL`` where, SQLite without it.
"""

import collections
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARCELS, WORKERS = int(os.environ.get("PARCELS", "200")), int(os.environ.get("WORKERS", "2"))
KILLS = (0.3, 0.6)  # after these parts of the parcels
PATIENCE = 600  # seconds until a run counts as stuck


def main():
    with contextlib.ExitStack() as stack:
        for adapter in ("demo", "dhl_parcel_de"):
            var = stack.enter_context(tempfile.TemporaryDirectory(prefix="fulfillment-soak-"))
            done = subprocess.run(
                [sys.executable, "-m", "tests.soak_labels", adapter],
                cwd=ROOT,
                env={
                    **os.environ,
                    "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
                    "VAR_DIR": var,
                    "CELERY_BROKER_URL": "",
                    "CACHE_URL": "",
                    "DEBUG": "false",
                    "LOG_LEVEL": "ERROR",
                },
                check=False,
            )
            if done.returncode:
                sys.exit("The soak found something.")


def run(adapter):
    """One run: prepare, work, kill, let time pass, work on, and count."""
    from tests.carrierstub import DhlStub

    stub = DhlStub()
    stub.delay = 0.1
    with stub.listening():
        _prepare(adapter, stub.url)
        began = time.monotonic()
        for part in KILLS:
            worker = _start()
            _wait(lambda part=part: _finished() >= PARCELS * part)
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
            _let_time_pass()
        worker = _start()
        try:
            _wait(lambda: _open() == 0)
        finally:
            os.killpg(worker.pid, signal.SIGTERM)
            worker.wait()
    _report(adapter, stub, time.monotonic() - began)


def _prepare(adapter, url):
    from django.core.management import call_command

    from shipping.models import Parcel
    from tests.factories.core import FacilityFactory
    from tests.factories.shipping import connected, shipment

    call_command("migrate", verbosity=0)
    facility = FacilityFactory()
    connected(
        facility,
        adapter,
        url if adapter != "demo" else "",
        credentials=dict.fromkeys(("client_id", "client_secret", "username", "password"), "soak"),
        products=[{"product": "V53WPAK", "billing_number": "33333333335301"}] if adapter != "demo" else [],
    )
    for number in range(PARCELS):
        shipment(1, facility=facility, number=f"SOAK-{number}")
    assert Parcel.objects.count() == PARCELS


def _start():
    """A Celery worker of the labels, in a process group of its own, with a message for each of its processes."""
    worker = subprocess.Popen(
        [
            *(sys.executable, "-m", "celery", "-A", "fulfillment", "--quiet", "worker"),
            *("--queues", "labels", "--concurrency", str(WORKERS), "--loglevel", "error"),
        ],
        cwd=ROOT,
        start_new_session=True,
    )
    from fulfillment.core.tasks import dispatch

    for _process in range(WORKERS):
        dispatch.apply_async(kwargs={"lane": "labels"}, queue="labels")
    return worker


def _wait(is_done):
    until = time.monotonic() + PATIENCE
    while not is_done():
        if time.monotonic() > until:
            sys.exit(f"Stuck: {_statuses()}")
        time.sleep(0.2)


def _statuses():
    from shipping.models import Parcel

    return dict(collections.Counter(Parcel.objects.values_list("status", flat=True)))


def _finished():
    return _statuses().get("DONE", 0)


def _open():
    return sum(count for status, count in _statuses().items() if status in {"OPEN", "PROCESSING"})


def _let_time_pass():
    """As if the leases and the calls of the killed worker were some minutes old."""
    import datetime

    from django.utils import timezone

    from fulfillment.core.models import OutboxEntry
    from shipping.booking import CALL_LOST_AFTER
    from shipping.models import BookingAttempt

    now = timezone.now()
    interrupted = BookingAttempt.objects.filter(outcome="PENDING")
    print(f"  killed at {_finished()} labels, in the middle of {interrupted.count()} calls", flush=True)
    interrupted.update(started_at=now - CALL_LOST_AFTER - datetime.timedelta(seconds=1))
    OutboxEntry.objects.filter(leased_until__gt=now).update(leased_until=now)
    OutboxEntry.objects.filter(state="DUE", due_at__gt=now).update(due_at=now)


def _report(adapter, stub, seconds):
    from django.db.models import Count

    from fulfillment.core.models import Document
    from shipping.models import BookingAttempt, HandoverJob, Parcel

    statuses = _statuses()
    labels = Document.objects.filter(category="SENDLABEL")
    twice = (
        Parcel.objects.filter(attempts__outcome="BOOKED")
        .annotate(found=Count("attempts"))
        .filter(found__gt=1)
    )
    done, waiting = statuses.get("DONE", 0), statuses.get("WAITING_FOR_INPUT", 0)
    most = max(collections.Counter(stub.orders).values(), default=0)
    print(
        f"{adapter}: {PARCELS} parcels, {WORKERS} worker processes killed {len(KILLS)} times, {seconds:.0f} s\n"
        f"  done {done}, waiting for a person {waiting}, others {PARCELS - done - waiting}\n"
        f"  labels {labels.count()}, of different parcels {labels.values('name').distinct().count()}, "
        f"booked twice {twice.count()}, handovers {HandoverJob.objects.count()}\n"
        f"  orders at the carrier {len(stub.orders)}, most per reference {most}, "
        f"calls without an answer {BookingAttempt.objects.exclude(outcome='BOOKED').count()}",
        flush=True,
    )
    allowed = 0 if adapter == "demo" else WORKERS * len(KILLS)
    is_right = (
        done + waiting == PARCELS
        and waiting <= allowed
        and labels.count() == labels.values("name").distinct().count() == done
        and not twice.exists()
        and HandoverJob.objects.count() == done
        and most <= 1
    )
    if not is_right:
        sys.exit(1)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        import django

        django.setup()
        run(sys.argv[1])
