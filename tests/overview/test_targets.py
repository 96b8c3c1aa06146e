"""Addresses that are called, and those that never are."""

import socket
import ssl
import threading
import time

import httpcore
import pytest

from fulfillment.overview import targets
from tests.receiver import Receiver

PUBLIC = "93.184.215.14"


def resolving(monkeypatch, *addresses):
    """Let every name mean these addresses; returns what was asked."""
    asked = []

    def getaddrinfo(host, port, **_options):
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, 1, 6, "", (address, port))
            for address in addresses
        ]

    monkeypatch.setattr(targets.socket, "getaddrinfo", getaddrinfo)
    return asked


def connecting(monkeypatch):
    """Note where connections would go, and refuse them."""
    went = []

    def connect(self, host, port, *_arguments):
        went.append((host, port))
        raise httpcore.ConnectError("Nobody is there.")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    return went


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/hook",
        "https://shop.example:8443/hook?a=1",
        "https://93.184.215.14/",
        "https://[2606:4700::1111]/",
    ],
)
def test_public_addresses_are_good(url, settings):
    settings.WEBHOOK_LOOPBACK_ALLOWED = False

    targets.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example",
        "https://",
        "https:///hook",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "http://shop.example/",
        "https://user:password@shop.example/",
        "https://shop.example:99999/",
        "https://shop.example/a b",
        "https://shop.example/\r\nHost: x",
        "https://shop.example\\@127.0.0.1/",
        "https://shöp.example/",
        "https://shop.example/" + "a" * 1000,
        "https://10.0.0.1/",
        "https://172.16.5.4/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://240.0.0.1/",
        "https://255.255.255.255/",
        "https://[fe80::1]/",
        "https://[fc00::1]/",
        "https://[fec0::1]/",
        "https://[ff02::1]/",
        "https://[::]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[2002:0a00:0001::]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2001:0:53aa:64c:0:0:f5ff:fffe]/",
        "https://167772161/",
        "https://0xa000001/",
        "https://10.1/",
    ],
)
@pytest.mark.parametrize("loopback", [True, False])
def test_other_addresses_are_refused(url, loopback, settings):
    settings.WEBHOOK_LOOPBACK_ALLOWED = loopback

    with pytest.raises(targets.BadTarget):
        targets.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/hook",
        "http://localhost/hook",
        "http://[::1]/hook",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://a.localhost/",
        "https://127.1/",
        "https://2130706433/",
        "https://[::ffff:127.0.0.1]/",
    ],
)
def test_loopback_is_for_development(url, settings):
    settings.WEBHOOK_LOOPBACK_ALLOWED = True
    targets.check_url(url)

    settings.WEBHOOK_LOOPBACK_ALLOWED = False
    with pytest.raises(targets.BadTarget):
        targets.check_url(url)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "x"),
        ("content-length", "1"),
        ("Webhook-Signature", "v1,x"),
        ("", "x"),
        ("a b", "x"),
        ("a:b", "x"),
        ("X-A", "a\r\nX-B: c"),
        ("X-A", "ü"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused(name, value):
    with pytest.raises(targets.BadTarget):
        targets.check_header(name, value)


@pytest.mark.parametrize(
    "addresses", [["10.0.0.1"], ["127.0.0.1"], [PUBLIC, "192.168.0.1"], ["::ffff:10.0.0.1"], ["fe80::1%eth0"]]
)
def test_a_name_that_leads_inside_is_not_called(addresses, monkeypatch, settings):
    settings.WEBHOOK_LOOPBACK_ALLOWED = False
    resolving(monkeypatch, *addresses)
    went = connecting(monkeypatch)

    answer = targets.Caller().post("https://shop.example/hook", b"{}", {})

    assert "public internet" in answer.error
    assert went == []


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch):
    """A name that means something else the second time it is asked for gains nothing: it is asked for once."""
    asked = resolving(monkeypatch, PUBLIC, "2606:4700::1111")
    went = connecting(monkeypatch)

    answer = targets.Caller().post("https://shop.example/hook", b"{}", {})

    assert asked == ["shop.example"]
    assert went == [(PUBLIC, 443), ("2606:4700::1111", 443)]
    assert answer.error == "ConnectError: Nobody is there."


def test_each_connection_is_checked_anew(monkeypatch, settings):
    with Receiver().listening() as receiver:
        caller = targets.Caller()
        url = receiver.url.replace("127.0.0.1", "localhost")
        assert caller.post(url, b"{}", {}).is_good
        caller.client._transport._pool.close()

        resolving(monkeypatch, "10.0.0.1")

        assert "public internet" in caller.post(url, b"{}", {}).error
    assert receiver.count == 1
    assert receiver.calls[0].headers["host"].startswith("localhost:")


def test_tls_is_asked_for_with_the_name(monkeypatch):
    resolving(monkeypatch, PUBLIC)
    names = []

    class Stream(httpcore.NetworkStream):
        def start_tls(self, ssl_context, server_hostname=None, timeout=None):
            assert ssl_context.verify_mode == ssl.CERT_REQUIRED
            assert ssl_context.check_hostname
            names.append(server_hostname)
            raise httpcore.ConnectError("Far enough.")

        def close(self):
            pass

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", lambda *_arguments: Stream())

    assert targets.Caller().post("https://shop.example/hook", b"{}", {}).error == "ConnectError: Far enough."
    assert names == ["shop.example"]


def test_a_redirect_is_not_followed():
    with Receiver().listening() as inside, Receiver().listening() as receiver:
        receiver.answer = lambda call: (307, {"Location": inside.url}, b"")

        answer = targets.Caller().post(receiver.url, b"{}", {})

    assert (answer.status_code, answer.is_good, inside.count) == (307, False, 0)


def test_the_environment_names_no_proxy(monkeypatch):
    with Receiver().listening() as proxy, Receiver().listening() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)

        assert targets.Caller().post(receiver.url, b"{}", {}).is_good
    assert (proxy.count, receiver.count) == (0, 1)


def test_cookies_are_not_kept():
    with Receiver().listening() as receiver:
        receiver.answer = lambda call: (200, {"Set-Cookie": "a=b; Path=/"}, b"")
        caller = targets.Caller()
        caller.post(receiver.url, b"{}", {})
        caller.post(receiver.url, b"{}", {})

    assert [call.headers.get("cookie") for call in receiver.calls] == [None, None]


def test_a_long_answer_is_cut():
    with Receiver(answer=lambda call: (500, {}, b"x" * 5_000_000)).listening() as receiver:
        answer = targets.Caller().post(receiver.url, b"{}", {})

    assert answer.text == "x" * targets.MOST_KEPT


def test_a_receiver_that_drips_is_left_after_the_time_in_all(monkeypatch):
    """Each byte comes in time, the answer never."""
    monkeypatch.setattr(targets, "SECONDS", 1)
    server = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def drip():
        connection, _address = server.accept()
        with connection:
            connection.recv(65536)
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not ended.wait(0.1):
                    connection.sendall(b"X")
            except ConnectionError:
                pass

    thread = threading.Thread(target=drip)
    thread.start()
    begin = time.monotonic()

    answer = targets.Caller().post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {})

    assert time.monotonic() - begin < 2
    assert answer.error == "No answer within 1 seconds."
    ended.set()
    thread.join()
    server.close()


def test_nobody_there_is_an_answer_too():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert "Connect" in targets.Caller().post(f"http://127.0.0.1:{port}/", b"{}", {}).error
