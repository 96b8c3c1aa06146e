import datetime
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest
from django.urls import reverse

from fulfillment.core.models import PrintJob, Station
from fulfillment.core.services import documents, printing
from tests.factories.core import FacilityFactory, staff

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
AGENT = Path(__file__).parents[2] / "deploy/print_agent.py"


@pytest.fixture(autouse=True)
def documents_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "documents"


@pytest.fixture
def facility(db):
    return FacilityFactory(slug="here")


@pytest.fixture
def bench(facility):
    """(station, secret of its agent)"""
    return printing.create_station(facility, "Bench 1", "PDF", now=NOON)


def document(facility, data=b"%PDF-1.7 one", **fields):
    fields = {"category": "DELIVERYNOTE", "name": "note.pdf", **fields}
    return documents.store(data, facility_id=facility.pk, now=NOON, **fields)


def ask(facility, station, *stored):
    return printing.ask(stored, facility=facility, station=station, by=None, now=NOON)


def states():
    return [job.state for job in PrintJob.objects.order_by("pk")]


# Jobs


def test_jobs_are_handed_out_in_their_order_and_said_to_be_printed(facility, bench):
    station, _secret = bench
    first, second = ask(facility, station, document(facility), document(facility, b"%PDF two"))

    taken = printing.claim(station, now=NOON)
    assert (taken.pk, states()) == (first.pk, ["PRINTING", "WAITING"])
    printing.finish(first.pk, station, now=NOON)
    assert printing.claim(station, now=NOON).pk == second.pk
    assert printing.claim(station, now=NOON) is None

    first.refresh_from_db()
    assert (first.state, first.done_at) == ("DONE", NOON)


def test_job_whose_agent_says_nothing_is_handed_out_again_and_then_given_up(facility, bench):
    station, _secret = bench
    (job,) = ask(facility, station, document(facility))
    leases = set()

    for turn in range(printing.MOST_ATTEMPTS):
        now = NOON + turn * printing.LEASE
        leases.add(printing.claim(station, now=now).lease)
        assert printing.claim(station, now=now + printing.LEASE - SECOND) is None

    assert len(leases) == printing.MOST_ATTEMPTS
    assert printing.claim(station, now=NOON + printing.MOST_ATTEMPTS * printing.LEASE) is None
    job.refresh_from_db()
    assert (job.state, job.error) == ("FAILED", "The agent took it and never answered.")


def test_late_yes_counts_and_is_not_printed_again(facility, bench):
    station, _secret = bench
    (job,) = ask(facility, station, document(facility))
    printing.claim(station, now=NOON)

    printing.finish(job.pk, station, now=NOON + 2 * printing.LEASE)
    printing.finish(job.pk, station, now=NOON + 3 * printing.LEASE)

    assert printing.claim(station, now=NOON + 4 * printing.LEASE) is None
    job.refresh_from_db()
    assert job.done_at == NOON + 2 * printing.LEASE


def test_failure_is_said_by_the_holder_alone_and_tried_again_by_a_person(facility, bench):
    station, _secret = bench
    (job,) = ask(facility, station, document(facility))
    lease = printing.claim(station, now=NOON).lease

    printing.fail(job.pk, station, uuid.uuid4(), "not mine")
    assert states() == ["PRINTING"]
    printing.fail(job.pk, station, lease, "No paper")
    assert printing.claim(station, now=NOON + 2 * printing.LEASE) is None
    job.refresh_from_db()
    assert (job.state, job.error) == ("FAILED", "No paper")

    printing.retry(job.pk, now=NOON)
    assert printing.claim(station, now=NOON).pk == job.pk
    with pytest.raises(printing.NotToBeRetried):
        printing.retry(job.pk, now=NOON)


def test_job_that_nobody_took_cannot_be_said_to_be_printed(facility, bench):
    station, _secret = bench
    (job,) = ask(facility, station, document(facility))

    printing.finish(job.pk, station, now=NOON)

    assert states() == ["WAITING"]


def test_reprint_is_noted(facility, bench):
    station, _secret = bench
    stored = document(facility)

    ask(facility, None, stored)
    ask(facility, station, stored)

    assert [(job.state, job.is_reprint) for job in PrintJob.objects.order_by("pk")] == [
        ("DONE", False),
        ("WAITING", True),
    ]


def test_station_of_another_facility_or_a_former_one_is_refused(facility, bench):
    station, _secret = bench
    other, _secret = printing.create_station(FacilityFactory(), "Bench", "PDF", now=NOON)
    (waiting,) = ask(facility, station, document(facility))
    printing.give_up(station.pk, now=NOON)
    station.refresh_from_db()

    for wrong in (other, station):
        with pytest.raises(printing.StationGone):
            ask(facility, wrong, document(facility))
    with pytest.raises(printing.StationGone):
        printing.retry(waiting.pk, now=NOON)
    assert states() == ["FAILED"]


# What agents ask


def call(client, secret, address, data=None):
    return client.post(
        address, data or {}, content_type="application/json", headers={"Authorization": f"Bearer {secret}"}
    )


def test_agent_needs_the_secret_which_is_stored_as_its_hash(client, facility, bench):
    station, secret = bench
    assert secret not in str(Station.objects.values().get())
    assert call(client, secret, "/print-agent/next").status_code == 204

    _station, renewed = printing.renew_secret(station.pk)
    for wrong in (secret, "", "stn_x"):
        assert call(client, wrong, "/print-agent/next").status_code == 401
    assert client.post("/print-agent/next").status_code == 401
    assert call(client, renewed, "/print-agent/next").status_code == 204
    printing.give_up(station.pk, now=NOON)
    assert call(client, renewed, "/print-agent/next").status_code == 401


def test_agent_sees_the_jobs_of_its_station_only(client, facility, bench):
    _station, secret = bench
    other, other_secret = printing.create_station(facility, "Bench 2", "PDF", now=NOON)
    (job,) = ask(facility, other, document(facility))

    assert call(client, secret, "/print-agent/next").status_code == 204
    assert call(client, secret, f"/print-agent/jobs/{job.pk}/done").status_code == 404
    assert call(client, secret, f"/print-agent/jobs/{job.pk}/failed").status_code == 404
    file = f"/print-agent/jobs/{job.pk}/file"
    assert client.get(file, headers={"Authorization": f"Bearer {secret}"}).status_code == 404
    answer = client.get(file, headers={"Authorization": f"Bearer {other_secret}"})
    assert (answer.content, answer["Content-Type"]) == (b"%PDF-1.7 one", "application/pdf")


@pytest.mark.parametrize("body", [{}, {"lease": "x", "error": "y"}, [], "x"])
def test_broken_word_of_an_agent_changes_nothing(client, facility, bench, body):
    station, secret = bench
    (job,) = ask(facility, station, document(facility))
    printing.claim(station, now=NOON)

    assert call(client, secret, f"/print-agent/jobs/{job.pk}/failed", body).status_code == 400
    assert states() == ["PRINTING"]


# Pages


def address(name, *args):
    return reverse(f"core:{name}", args=["here", *args])


def test_device_remembers_its_station(client, facility, bench):
    station, _secret = bench
    client.force_login(staff("packer", facility))

    client.post(address("print-here"), {"station": station.pk})
    there = client.get(address("print-list"))
    client.post(address("print-here"), {"station": ""})
    here = client.get(address("print-list"))

    assert there.context["chosen"] == station
    assert here.context["chosen"] is None
    for broken in ("999", "x", "1" * 40):
        client.cookies["station-here"] = broken
        assert client.get(address("print-list")).context["chosen"] is None


def test_secret_of_a_station_is_shown_once_to_a_supervisor(client, facility):
    client.force_login(staff("supervisor", facility))

    made = client.post(address("station-add"), {"name": "Bench 1", "label_format": "ZPL"}, follow=True)
    later = client.get(address("print-list"))

    secret = re.search(r"PRINT_SECRET=(stn_\S+)", made.content.decode())[1]
    assert printing.find_station(secret, now=NOON) == Station.objects.get()
    assert secret not in later.content.decode()
    assert client.post(address("station-add"), {"name": "Bench 1", "label_format": "PDF"}).status_code == 422
    client.force_login(staff("packer", facility))
    assert client.post(address("station-add"), {"name": "B", "label_format": "PDF"}).status_code == 403


def test_failed_print_is_shown_and_printed_again(client, facility, bench):
    station, _secret = bench
    (job,) = ask(facility, station, document(facility))
    lease = printing.claim(station, now=NOON).lease
    printing.fail(job.pk, station, lease, "Out of labels")
    client.force_login(staff("packer", facility))

    page = client.get(address("print-list")).content.decode()
    client.post(address("print-retry", job.pk))

    assert "Out of labels" in page
    assert states() == ["WAITING"]


# The agent itself, as a program, with an ``lp`` that writes down what it got and a printer at a socket


def read_all(connection):
    return b"".join(iter(lambda: connection.recv(65536), b""))


class Bench:
    """A folder with a false ``lp``, a false label printer, and the agent between them and the server."""

    def __init__(self, folder, server, secret):
        self.folder, self.server, self.secret = folder, server, secret
        self.printed = folder / "printed"
        self.printed.mkdir()
        self.label_printer = socket.create_server(("127.0.0.1", 0))
        self.labels = []
        threading.Thread(target=self._listen, daemon=True).start()
        self.set_lp('cp "${@: -1}" "$FOLDER/$(ls $FOLDER | wc -l)"; echo "$@" >> $FOLDER/../lp.log')
        self.agent = None

    def set_lp(self, script):
        lp = self.folder / "lp"
        lp.write_text(f"#!/bin/bash\nFOLDER={self.printed}\n{script}\n")
        lp.chmod(0o755)

    def _listen(self):
        while True:
            try:
                connection, _address = self.label_printer.accept()
            except OSError:
                return
            with connection:
                self.labels.append(read_all(connection))

    def start(self, *, server=None):
        port = self.label_printer.getsockname()[1]
        command = [sys.executable, AGENT, "--server", server or self.server, "--printer", "Office"]
        command += ["--label-printer", "Zebra", "--zpl", f"127.0.0.1:{port}", "--pause", "0.1"]
        environment = {
            **os.environ,
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "PRINT_SECRET": self.secret,
        }
        self.agent = subprocess.Popen(
            [*command, "--state", self.folder / "state.json"], env=environment, cwd=self.folder
        )

    def stop(self):
        if self.agent is not None:
            self.agent.send_signal(signal.SIGTERM)
            self.agent.wait(20)

    @property
    def papers(self):
        return [file.read_bytes() for file in sorted(self.printed.iterdir(), key=lambda file: int(file.name))]

    def wait(self, *expected):
        """Until the jobs have these states."""
        end = time.monotonic() + 30
        while states() != list(expected):
            assert time.monotonic() < end, states()
            assert self.agent.poll() is None, "the agent ended"
            time.sleep(0.05)


@pytest.fixture
def real(transactional_db, live_server, tmp_path):
    """(facility, station, bench) with everything running but the agent."""
    facility = FacilityFactory(slug="here")
    station, secret = printing.create_station(facility, "Bench 1", "ZPL", now=NOON)
    bench = Bench(tmp_path, live_server.url, secret)
    yield facility, station, bench
    bench.stop()
    bench.label_printer.close()


ZPL = {"category": "SENDLABEL", "format": "ZPL", "name": "label.zpl"}


@pytest.mark.django_db(transaction=True)
def test_agent_prints_pdf_by_cups_and_zpl_at_the_socket(real):
    facility, station, bench = real
    note = document(facility)
    label = document(facility, b"%PDF label", category="SENDLABEL", name="label.pdf")
    ask(facility, station, note, document(facility, b"^XA^XZ", **ZPL), label)

    bench.start()

    bench.wait("DONE", "DONE", "DONE")
    assert bench.papers == [b"%PDF-1.7 one", b"%PDF label"]
    assert bench.labels == [b"^XA^XZ"]
    first, second = (bench.folder / "lp.log").read_text().splitlines()
    assert first.startswith("-t note.pdf -d Office -- ")
    assert second.startswith("-t label.pdf -d Zebra -- ")


@pytest.mark.django_db(transaction=True)
def test_agent_says_what_the_printer_says_and_goes_on(real):
    facility, station, bench = real
    bench.set_lp('echo "lp: The printer or class does not exist." >&2; exit 1')
    ask(facility, station, document(facility), document(facility, b"^XA^XZ", **ZPL))

    bench.start()

    bench.wait("FAILED", "DONE")
    assert "does not exist" in PrintJob.objects.order_by("pk").first().error


class Proxy:
    """Between agent and server; loses the answers to some requests after the server has done them."""

    def __init__(self, server, *, loses):
        self.host, self.port = server.removeprefix("http://").split(":")
        self.loses = dict(loses)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _address = self.listener.accept()
            except OSError:
                return
            with client:
                request = client.recv(65536)
                head, _blank, body = request.partition(b"\r\n\r\n")
                length = int((re.search(rb"content-length: (\d+)", head, re.IGNORECASE) or [0, 0])[1])
                while len(body) < length:
                    body += client.recv(65536)
                with socket.create_connection((self.host, int(self.port))) as server:
                    server.sendall(head + b"\r\n\r\n" + body)
                    answer = read_all(server)
                for part, left in self.loses.items():
                    if left and part in head.split(b"\r\n")[0]:
                        self.loses[part] -= 1
                        break
                else:
                    client.sendall(answer)


@pytest.mark.django_db(transaction=True)
def test_lost_answers_lose_no_job_and_print_none_twice(real, monkeypatch):
    facility, station, bench = real
    monkeypatch.setattr(printing, "LEASE", datetime.timedelta(seconds=2))
    papers = [document(facility, b"%%PDF %d" % number) for number in range(4)]
    ask(facility, station, *papers)
    proxy = Proxy(bench.server, loses={b"/next": 2, b"/file": 1, b"/done": 3})

    bench.start(server=proxy.url)

    bench.wait("DONE", "DONE", "DONE", "DONE")
    proxy.listener.close()
    assert sorted(bench.papers) == [b"%PDF 0", b"%PDF 1", b"%PDF 2", b"%PDF 3"]


@pytest.mark.django_db(transaction=True)
def test_agent_that_was_killed_before_it_said_so_says_so_first_when_it_comes_back(real):
    facility, station, bench = real
    ask(facility, station, document(facility))
    proxy = Proxy(bench.server, loses={b"/done": 99})
    bench.start(server=proxy.url)
    end = time.monotonic() + 20
    while not (bench.folder / "state.json").exists() and time.monotonic() < end:
        time.sleep(0.05)
    bench.agent.kill()
    bench.agent.wait()
    proxy.listener.close()
    PrintJob.objects.update(state="PRINTING", done_at=None, lease_until=NOON)

    bench.start()

    bench.wait("DONE")
    assert len(bench.papers) == 1


@pytest.mark.django_db(transaction=True)
def test_agent_with_a_wrong_secret_ends_with_a_sentence(real):
    _facility, _station, bench = real
    command = [sys.executable, AGENT, "--server", bench.server, "--state", bench.folder / "state.json"]

    done = subprocess.run(
        command, env={**os.environ, "PRINT_SECRET": "stn_wrong"}, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 1
    assert "does not know this secret" in done.stderr
