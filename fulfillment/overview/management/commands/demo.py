import json
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from fulfillment.core.models import OutboxEntry
from fulfillment.demo import balance, loader, shop
from fulfillment.demo.crew import Crew
from fulfillment.demo.pages import PageError
from fulfillment.demo.sources import NAMES
from fulfillment.demo.sources.story import Story, StoryError
from orders.models import Order
from packing.models import PackJob
from picking.models import PickJob
from routing.models import DecisionLog, RoutingPlan
from shipping.models import BookingAttempt, HandoverJob, Shipment

WAITING = [RoutingPlan.Status.WAITING, RoutingPlan.Status.RETRYABLE, RoutingPlan.Status.NOT_ROUTABLE]
STAGES = ["pick", "pack", "handover"]
START_WITHIN = 240  # seconds until the system is well
WORK_WITHIN = 300  # seconds until everything is handed over


class Command(BaseCommand):
    help = (
        "Work the demo orders through the whole flow over HTTP, from the API to the handover, and print a table. "
        "Without --url, a system of its own is started with an empty database and removed afterwards."
    )

    def add_arguments(self, parser):
        parser.add_argument("--url", help="A running system that uses the same database as this command.")
        parser.add_argument(
            "--source",
            choices=NAMES,
            help="The orders come from a shop of this kind, through its connector, and are reported back to it.",
        )

    def handle(self, *, url, source, **options):
        if settings.PRODUCTION:
            raise CommandError("The demo is not for production mode; unset PRODUCTION.")
        if url is None:
            self.in_private(source)
        elif source is None:
            self.against(url.rstrip("/"))
        else:
            self.with_source(url.rstrip("/"), source)

    def in_private(self, source):
        """Start the system as ``make run`` does, beside the user's own, and run the demo against it."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        password = secrets.token_urlsafe(12)
        with tempfile.TemporaryDirectory(prefix="fulfillment-demo-") as folder:
            own = {
                "VAR_DIR": folder,
                "HOST": "127.0.0.1",
                "PORT": str(port),
                "DEMO_PASSWORD": password,
                "DEMO_ORDERS": "later",
                # The user's own database and broker stay untouched.
                **dict.fromkeys(["DATABASE_URL", "CELERY_BROKER_URL", "CACHE_URL", "DOCUMENT_DIR"], ""),
            }
            environment = {**os.environ, **own}
            # Whoever ends this command ends what it started.
            signal.signal(signal.SIGTERM, lambda *_signal: sys.exit(1))
            log = Path(folder) / "launcher.log"
            with log.open("w") as output:
                launcher = subprocess.Popen(
                    [sys.executable, str(settings.BASE_DIR / "deploy" / "run.py")],
                    env=environment,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            try:
                url = f"http://127.0.0.1:{port}"
                self.wait_until_well(url, launcher, log)
                manage = [sys.executable, str(settings.BASE_DIR / "manage.py"), "demo", "--url", url]
                manage += ["--source", source] if source else []
                code = subprocess.run(manage, env=environment, check=False).returncode
            finally:
                launcher.send_signal(signal.SIGTERM)
                launcher.wait()
        if code:
            raise SystemExit(code)

    def wait_until_well(self, url, launcher, log):
        self.stderr.write("Starting ...")
        end = time.monotonic() + START_WITHIN
        while time.monotonic() < end:
            if launcher.poll() is not None:
                raise CommandError(f"The system did not start:\n{log.read_text()[-2000:]}")
            try:
                if httpx.get(f"{url}/healthz", timeout=5).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass  # nobody listens yet
            time.sleep(0.2)
        raise CommandError(f"The system did not get well within {START_WITHIN} s:\n{log.read_text()[-2000:]}")

    def against(self, url):
        start = time.perf_counter()
        timings = {}
        if not Order.objects.exists():
            try:
                timings["post an order"] = shop.post_orders(url)
            except shop.OrderRefusedError as error:
                raise CommandError(str(error)) from error
        self.wait_for_workers()
        crew = Crew(url, self.logins(), self.codes(), on_step=self.progress)
        try:
            self.work(crew)
        except PageError as error:
            raise CommandError(str(error)) from error
        finally:
            crew.close()
        self.print_tables(crew, {**timings, **crew.timings}, time.perf_counter() - start)
        self.settle()

    def with_source(self, url, source):
        """As ``against``, with orders that a shop sends, and that it hears of in the end."""
        with Story(source, url, self.stdout.write) as story:
            try:
                story.arrive()
                self.against(url)
                rows = story.end()
            except StoryError as error:
                raise CommandError(str(error)) from error
        self.stdout.write("")
        self.table(["Order in the shop", "Country", "Units reported", "Tracking numbers"], rows)

    def logins(self):
        """``{role: (e-mail, password)}`` of the demo staff."""
        password = os.environ.get("DEMO_PASSWORD")
        kept = settings.VAR_DIR / "demo-logins.json"
        if not password and kept.exists():
            password = json.loads(kept.read_text())["picker@demo.example"]
        if not password:
            raise CommandError("Set DEMO_PASSWORD to the password of the demo logins.")
        return {role: (f"{role}@demo.example", password) for role in ("picker", "packer", "supervisor")}

    def codes(self):
        return {row["sku"]: row["ean"] for row in loader.rows("articles.csv")}

    def wait_for_workers(self):
        """Wait until nothing in the background is due; refuses to wait for what failed."""
        end = time.monotonic() + WORK_WITHIN
        while OutboxEntry.objects.filter(state=OutboxEntry.State.DUE).exclude(lane="webhooks").exists():
            if time.monotonic() > end:
                raise CommandError("The worker does not finish what is due.")
            time.sleep(0.1)
        failed = OutboxEntry.objects.filter(state=OutboxEntry.State.FAILED).first()
        if failed is not None:
            raise CommandError(f"{failed.event} could not be delivered: {failed.last_error}")

    def work(self, crew):
        """Rounds over all facilities until there is nothing left to do."""
        self.shown, self.step = -1, 0
        self.total = max(1, len(STAGES) * PickJob.objects.exclude(status__in=["CLOSED", "ABORTED"]).count())
        while crew.round():
            self.wait_for_workers()
        sent = Shipment.objects.filter(status=Shipment.Status.COMPLETED).exclude(return_code=None)
        if slip := sent.order_by("pk").values_list("facility__slug", "return_code").first():
            crew.give_back(*slip)
        self.progress(is_done=True)

    def progress(self, is_done=False):
        """One line that grows on a terminal, a line per tenth elsewhere."""
        self.step += not is_done
        share = 1 if is_done else min(self.step / self.total, 0.99)
        if self.stderr.isatty():
            bar = "█" * round(share * 40)
            self.stderr.write(f"\r{bar:░<40} {share:4.0%}", ending="\n" if is_done else "")
            self.stderr.flush()
        elif int(share * 10) > self.shown:
            self.shown = int(share * 10)
            self.stderr.write(f"{share:4.0%}")

    def print_tables(self, crew, timings, seconds):
        rows = [
            [
                slug,
                *(
                    figure
                    for stage in STAGES
                    for figure in (crew.done[slug, stage], round(crew.spent[slug, stage], 1))
                ),
            ]
            for slug in crew.facilities
        ]
        columns = zip(*(row[1:] for row in rows), strict=True)
        rows.append(["all", *(round(sum(column), 1) for column in columns)])
        self.table(["Facility", "Picked", "s", "Packed", "s", "Handed over", "s"], rows)
        routed = DecisionLog.objects.values_list("duration_ms", flat=True)
        booked = BookingAttempt.objects.exclude(ended_at=None)
        timings = {
            **timings,
            "worker: route an order": [ms / 1000 for ms in routed],
            "worker: book a label": [
                (attempt.ended_at - attempt.started_at).total_seconds() for attempt in booked
            ],
        }
        self.table(
            ["Step", "Count", "p50 ms", "p95 ms"],
            [[name, len(taken), *percentiles(taken)] for name, taken in timings.items() if taken],
        )
        self.stdout.write(
            f"{seconds:.1f} s in all, {crew.done['', 'short']} line picked short, "
            f"{crew.done['', 'returned']} unit returned.\n"
        )

    def table(self, heads, rows):
        rows = [[str(cell) for cell in row] for row in [heads, *rows]]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for first, *rest in rows:
            cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
            self.stdout.write("  ".join([first.ljust(widths[0]), *cells]))
        self.stdout.write("")

    def settle(self):
        """Print what became of the orders and of the stock; exit with 1 when something is missing."""
        unroutable = Order.objects.live().filter(routing_plans__status__in=WAITING).distinct()
        routed = Order.objects.live().filter(pick_jobs__isnull=False).distinct()
        unfinished = routed.filter(
            Q(pick_jobs__status__in=PickJob.UNFINISHED)
            | Q(pack_jobs__status__in=PackJob.UNFINISHED)
            | Q(shipments__status__in=Shipment.UNFINISHED)
            | Q(handover_jobs__status__in=HandoverJob.UNFINISHED)
        )
        lost = Order.objects.live().exclude(pk__in=routed).exclude(pk__in=unroutable)
        behind = [str(order) for order in [*unfinished, *lost]]
        received, shelves = balance.units_received(), balance.units_in_stock()
        left = balance.units_handed_over()
        self.stdout.write(
            f"{Order.objects.live().count()} orders: {routed.count() - unfinished.count()} handed over, "
            f"{unroutable.count()} with a part that no facility has."
        )
        self.stdout.write(
            f"Stock: {sum(received.values())} at the start = {sum(shelves.values())} on the shelves "
            f"+ {sum(left.values())} handed over."
        )
        missing = balance.difference(received, shelves, left)
        if behind:
            raise CommandError(f"Not handed over: {', '.join(behind)}.")
        if missing:
            raise CommandError(f"The stock is not balanced: {missing}.")


def percentiles(seconds):
    """p50 and p95 in milliseconds."""
    if len(seconds) == 1:
        seconds = seconds * 2
    cuts = statistics.quantiles(seconds, n=20, method="inclusive")
    return f"{cuts[9] * 1000:.1f}", f"{cuts[18] * 1000:.1f}"
