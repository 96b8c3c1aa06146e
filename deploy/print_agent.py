#!/usr/bin/env python3
"""Prints what a station of the fulfillment system is asked to print. One file, nothing but Python 3.9 or newer.

    print_agent.py --server https://fulfillment.example --printer Office --label-printer Zebra --zpl 192.168.1.50

The secret of the station stands in the environment as PRINT_SECRET, or in a file that --secret-file names. PDF goes to
CUPS by `lp`; ZPL as it is to port 9100 of a label printer. A job is leased from the server, printed, and then said to be
printed; what could not be said (no answer, no network) is kept in the state file and said again, also after a restart,
before anything else is printed. So nothing is lost, and nothing is printed twice unless this program is killed in the
moment between the printer's yes and its own note of it.
"""

import argparse
import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

LABELS = {"SENDLABEL", "RETURNLABEL"}
SECONDS = 20  # for one call to the server, the printer's socket, or lp


class Unreachable(Exception):
    """The server gave no answer that counts: try again later."""


class NotPrinted(Exception):
    """The printer did not take the job."""


class Server:
    def __init__(self, address, secret):
        self.address, self.secret = address.rstrip("/"), secret

    def call(self, method, path, body=None):
        """(status, bytes) of an answer. Raises Unreachable."""
        request = urllib.request.Request(
            f"{self.address}/print-agent/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 401:
                sys.exit(
                    "The server does not know this secret. Get a new one on the page of the print stations."
                )
            if error.code in (400, 404):
                return error.code, b""
            raise Unreachable(f"{method} {path}: {error.code}") from error
        except OSError as error:  # refused, timed out, cut off
            raise Unreachable(f"{method} {path}: {error}") from error


class State:
    """What was printed but not said yet, kept in a file that is replaced as a whole."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.printed = json.loads(self.path.read_text()) if self.path.exists() else []

    def add(self, job):
        self._write([*self.printed, job])

    def remove(self, job):
        self._write([one for one in self.printed if one != job])

    def _write(self, printed):
        beside = self.path.with_suffix(".new")
        with beside.open("w") as file:
            json.dump(printed, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)
        self.printed = printed


class Printers:
    def __init__(self, *, paper, label, zpl):
        self.paper, self.label, self.zpl = paper, label, zpl

    def send(self, job, data):
        """Give a file to the printer for its kind. Raises NotPrinted."""
        if job["format"] == "ZPL":
            self._socket(data)
        else:
            self._lp(data, self.label if job["category"] in LABELS else self.paper, job["name"])

    def _socket(self, data):
        if not self.zpl:
            raise NotPrinted("This station has no label printer for ZPL (--zpl).")
        host, _colon, port = self.zpl.rpartition(":") if ":" in self.zpl else (self.zpl, ":", "9100")
        try:
            with socket.create_connection((host, int(port)), timeout=SECONDS) as printer:
                printer.sendall(data)
                printer.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise NotPrinted(f"{self.zpl}: {error}") from error

    @staticmethod
    def _lp(data, printer, title):
        with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
            file.write(data)
            file.flush()
            command = ["lp", "-t", title, *(["-d", printer] if printer else []), "--", file.name]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise NotPrinted(f"lp: {error}") from error
        if done.returncode:
            raise NotPrinted(f"lp: {(done.stderr or done.stdout).strip()[:200]}")


def work(server, state, printers):
    """Say what was printed, then print one job; False when there was none."""
    for job in list(state.printed):
        server.call("POST", f"jobs/{job}/done", {})
        state.remove(job)
    status, answer = server.call("POST", "next", {})
    if status != 200:
        return False
    job = json.loads(answer)
    _status, data = server.call("GET", f"jobs/{job['job']}/file")
    if hashlib.sha256(data).hexdigest() != job["sha256"]:
        raise Unreachable("The file came damaged.")
    try:
        printers.send(job, data)
    except NotPrinted as error:
        say(f"{job['name']}: {error}")
        server.call("POST", f"jobs/{job['job']}/failed", {"lease": job["lease"], "error": str(error)})
        return True
    state.add(job["job"])
    say(f"{job['name']}: printed")
    server.call("POST", f"jobs/{job['job']}/done", {})
    state.remove(job["job"])
    return True


def say(text):
    print(time.strftime("%H:%M:%S"), text, flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--server", required=True, help="address of the fulfillment system")
    parser.add_argument("--secret-file", help="file with the secret of the station, instead of PRINT_SECRET")
    parser.add_argument("--printer", default="", help="CUPS name for papers; none: the default printer")
    parser.add_argument(
        "--label-printer", default="", help="CUPS name for labels as PDF; none: as for papers"
    )
    parser.add_argument("--zpl", default="", help="host[:port] of a label printer for ZPL, port 9100")
    parser.add_argument("--state", default="print_agent.json", help="file for what is not said yet")
    parser.add_argument(
        "--pause", type=float, default=2, help="seconds between questions when there is nothing"
    )
    options = parser.parse_args()
    secret = os.environ.get("PRINT_SECRET", "")
    if options.secret_file:
        secret = pathlib.Path(options.secret_file).read_text().strip()
    if not secret:
        parser.error("give the secret in PRINT_SECRET or --secret-file")
    server = Server(options.server, secret)
    state = State(options.state)
    label = options.label_printer or options.printer
    printers = Printers(paper=options.printer, label=label, zpl=options.zpl)
    stop = threading.Event()  # asked to end, it first says what it has printed
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_args: stop.set())
    wait = options.pause
    say(f"Asking {options.server}")
    while not stop.is_set():
        try:
            is_busy = work(server, state, printers)
        except Unreachable as error:
            say(f"{error}; again in {wait:g} s")
            stop.wait(wait)
            wait = min(2 * wait, 60)
            continue
        wait = options.pause
        if not is_busy:
            stop.wait(options.pause)


if __name__ == "__main__":
    main()
