"""A web server with two workers, and clients that keep it busy, for benchmarks."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
APPLICATION = "fulfillment.wsgi:application"


def command(server, port, workers, threads):
    """The command line of a WSGI server that serves the product on 127.0.0.1."""
    if server == "gunicorn":
        return [
            *(sys.executable, "-m", "gunicorn", APPLICATION, "--bind", f"127.0.0.1:{port}"),
            *("--workers", str(workers), "--threads", str(threads), "--log-level", "warning"),
        ]
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", APPLICATION),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)),
        *("--blocking-threads", str(threads), "--log-level", "warning", "--no-ws"),
    ]


@contextlib.contextmanager
def running(server="granian", workers=2, threads=4):
    """Serve until the block ends; yields the port. The environment is this process's own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(command(server, port, workers, threads), cwd=ROOT, env=os.environ)
    try:
        _wait_until_open(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_open(port, process):
    for _attempt in range(300):
        if process.poll() is not None:
            raise RuntimeError("The web server ended at its start.")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError("The web server does not answer.")


def post_all(port, path, bodies, *, headers=None, clients=4, method="POST", expected=http.HTTPStatus.CREATED):
    """Send every body as JSON over ``clients`` kept connections.

    Returns:
        Seconds for all of them.
    Raises:
        RuntimeError: an answer was not ``expected``; its beginning is in the message.
    """
    headers = {"Content-Type": "application/json", **(headers or {})}
    calls = [(headers, json.dumps(body).encode()) for body in bodies]
    return _send_all(port, path, calls, clients, method, expected)


def post_signed(port, path, calls, expected, *, clients=4):
    """As ``post_all`` with (headers, body) for each call."""
    calls = [({"Content-Type": "application/json", **headers}, body) for headers, body in calls]
    return _send_all(port, path, calls, clients, "POST", expected)


def _send_all(port, path, calls, clients, method, expected):
    queue = iter(calls)
    guard, failures = threading.Lock(), []

    def work():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not failures:
            with guard:
                headers, body = next(queue, (None, None))
            if body is None:
                break
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != expected:
                failures.append(f"{path} answered {answer.status}: {text[:300]!r}")
        connection.close()

    threads = [threading.Thread(target=work) for _client in range(clients)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    if failures:
        raise RuntimeError(failures[0])
    return seconds
