"""A program that subscribed: a web server on loopback that notes what it is told."""

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Call(NamedTuple):
    at: float
    path: str
    headers: dict
    body: bytes

    @property
    def data(self):
        return json.loads(self.body)


class Receiver:
    """Answers ``status`` after ``delay`` seconds; ``answer(call)`` may say otherwise with (status, headers, body)."""

    def __init__(self, status=201, delay=0.0, answer=None, keeps=True):
        self.status, self.delay, self.answer, self.keeps = status, delay, answer, keeps
        self.calls: list[Call] = []
        self.count = self.at_once = self.most_at_once = self.connections = 0
        self.lock = threading.Lock()
        self.opened = threading.Event()  # while it is not set, calls are held and not answered
        self.opened.set()

    @property
    def events(self):
        return [call.data["event"] for call in self.calls]

    @property
    def sequences(self):
        return [int(call.headers["webhook-sequence"]) for call in self.calls]

    def wait_for(self, count, seconds=20):
        """Wait until so many calls are there, answered or not."""
        until = time.monotonic() + seconds
        while self.count < count and time.monotonic() < until:
            time.sleep(0.01)

    @contextlib.contextmanager
    def listening(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                super().setup()
                receiver.connections += 1

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                names = {name.lower(): value for name, value in self.headers.items()}
                call = Call(time.monotonic(), self.path, names, body)
                with receiver.lock:
                    receiver.count += 1
                    if receiver.keeps:
                        receiver.calls.append(call)
                    receiver.at_once += 1
                    receiver.most_at_once = max(receiver.most_at_once, receiver.at_once)
                time.sleep(receiver.delay)
                receiver.opened.wait()
                status, headers, content = (
                    receiver.answer(call) if receiver.answer else (receiver.status, {}, b"ok")
                )
                with receiver.lock:
                    receiver.at_once -= 1
                with contextlib.suppress(ConnectionError):
                    # One write: two small packets would wait for each other's acknowledgement.
                    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                    self.wfile.write(
                        f"HTTP/1.1 {status} X\r\n{head}Content-Length: {len(content)}\r\n\r\n".encode()
                        + content
                    )

            def log_message(self, *arguments):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                pass  # the other side gave up waiting

        with Server(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield self
            finally:
                self.opened.set()
                server.shutdown()
                thread.join()
