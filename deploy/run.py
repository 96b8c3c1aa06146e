"""Start web server, worker and beat together, and stop them together: ``make run``.

Everything comes from the environment: PORT (8000), HOST (127.0.0.1; another address is served over https with a
local certificate), and the settings that README lists.
"""

import contextlib
import ctypes
import datetime
import fcntl
import hashlib
import ipaddress
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
PATIENCE = 60  # seconds until the product answers
GRACE = 10  # seconds for a process to end by itself


def stop(text):
    sys.exit(f"\n{text}\n")


def read_port(text):
    """The port as a number; stops when it is none."""
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        stop(f"PORT={text} is not a port; use a number from 1 to 65535, for example PORT=8080.")
    return int(text)


def check_port(host, port):
    """Stop with a clear message when nobody can listen there."""
    if host in {"0.0.0.0", "::"}:
        stop(
            f"HOST={host} is every address; give the one that handhelds will use, for example HOST=192.168.1.20."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            stop(f"Port {port} needs more rights; choose another one, for example PORT=8080.")
        except OSError as error:
            if error.errno == 99 or isinstance(error, socket.gaierror):
                stop(f"HOST={host} is not an address of this machine.")
            stop(f"Port {port} is in use; choose another one, for example PORT={port + 1}.")


def claim(var, url):
    """Be the only one that works in a folder, until this process ends; returns what has to be kept open for it."""
    var.mkdir(parents=True, exist_ok=True)
    claimed = (var / "running").open("a+")
    try:
        fcntl.flock(claimed, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        claimed.seek(0)
        stop(
            f"It runs already, at {claimed.read()}; stop that first, or choose another folder with VAR_DIR=."
        )
    claimed.truncate(0)
    claimed.write(url)
    claimed.flush()
    return claimed


def make_certificate(folder, host):
    """A self-signed certificate for a host name or address, kept for a year; returns (certificate, key) paths."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    certificate_path, key_path = (
        folder / f"{host.replace(':', '_')}.crt",
        folder / f"{host.replace(':', '_')}.key",
    )
    if certificate_path.exists() and time.time() - certificate_path.stat().st_mtime < 360 * 86400:
        return certificate_path, key_path
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    try:
        names = [x509.IPAddress(ipaddress.ip_address(host))]
    except ValueError:
        names = [x509.DNSName(host)]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([*names, x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_path.touch(mode=0o600)
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return certificate_path, key_path


def fingerprint(var):
    """What an embedded database was prepared with; None when only Django can tell whether it is ready."""
    database = var / "fulfillment.sqlite3"
    if os.environ.get("DATABASE_URL") or os.environ.get("PRODUCTION") or not database.exists():
        return None
    files = [ROOT / "requirements.lock", *sorted(ROOT.glob("*/migrations/*.py"))]
    files += sorted(ROOT.glob("fulfillment/*/migrations/*.py"))
    content = b"".join(str(path.relative_to(ROOT)).encode() + path.read_bytes() for path in files)
    return f"{hashlib.sha256(content).hexdigest()} {database.stat().st_ino}"


def ensure_prepared(var):
    """As ``prepare``, at once when nothing changed since: loading Django alone takes two seconds."""
    stamp = var / "prepared"
    before = fingerprint(var)
    if before and stamp.exists() and stamp.read_text() == before:
        return read_logins(var), False
    logins, is_first = prepare(var)
    if after := fingerprint(var):
        stamp.write_text(after)
    return logins, is_first


def read_logins(var):
    path = var / "demo-logins.json"
    return json.loads(path.read_text()) if path.exists() else {}


def prepare(var):
    """Migrate, and load the demo network into an empty database; returns (logins, is it the first start)."""
    import django
    from django.core.exceptions import ImproperlyConfigured

    try:
        django.setup()
    except ImproperlyConfigured as error:
        stop(str(error))
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connections["default"])
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        print("Preparing the database ...", flush=True)
        call_command("migrate", verbosity=0)
    from fulfillment.demo import loader

    loader.load_places()
    if settings.PRODUCTION:
        call_command("collectstatic", verbosity=0, interactive=False)
        connections.close_all()
        return {}, False
    from fulfillment.core.models import Facility

    logins = var / "demo-logins.json"
    is_first = not Facility.objects.exists()
    if is_first:
        print("Loading the demo network ...", flush=True)
        password = os.environ.get("DEMO_PASSWORD") or secrets.token_urlsafe(9)
        call_command("load_demo", password=password, logins=str(logins), verbosity=0)
    connections.close_all()
    return read_logins(var), is_first


def commands(host, port, certificate):
    """Command line per process."""
    python = sys.executable
    web = [
        *(python, "-m", "granian", "--interface", "wsgi", "fulfillment.wsgi:application"),
        *("--host", host, "--port", str(port), "--workers", os.environ.get("WEB_WORKERS", "1")),
        *("--blocking-threads", "8", "--no-ws", "--log-level", "warning"),
    ]
    if certificate:
        web += ["--ssl-certificate", str(certificate[0]), "--ssl-keyfile", str(certificate[1])]
    celery = [python, "-m", "celery", "-A", "fulfillment", "--quiet"]
    lanes = "default,routing,labels,webhooks,reports,bulk,sources"
    return {
        "web": web,
        "worker": [
            *(*celery, "worker", "--queues", lanes, "--concurrency", os.environ.get("WORKERS", "2")),
            *("--loglevel", "warning", "--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
        "beat": [*celery, "beat", "--loglevel", "warning"],
    }


def _end_with_parent():
    """What a new process runs first: on Linux, it asks to be ended when this one is killed and can end nobody."""
    if sys.platform != "linux":
        return None
    prctl, ask_for_signal = ctypes.CDLL(None).prctl, 1  # PR_SET_PDEATHSIG
    return lambda: prctl(ask_for_signal, signal.SIGTERM)


class Children:
    """The processes of one run: they start together and end together."""

    def __init__(self, logs):
        self.logs = logs
        self.logs.mkdir(parents=True, exist_ok=True)
        self.processes = {}

    def start(self, name, command):
        log = (self.logs / f"{name}.log").open("w")
        # A session of its own: Ctrl-C reaches this process only, which then ends the others in order.
        self.processes[name] = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent(),
        )

    def dead(self):
        """The name of a process that ended, or None."""
        return next((name for name, process in self.processes.items() if process.poll() is not None), None)

    def tail(self, name):
        return "\n".join((self.logs / f"{name}.log").read_text(errors="replace").splitlines()[-15:])

    def stop(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        end = time.monotonic() + GRACE
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, end - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_until_well(url, children):
    """Wait for /healthz; stops when a process ends or nothing answers."""
    import ssl

    context = ssl._create_unverified_context()  # our own certificate, on this machine
    end = time.monotonic() + PATIENCE
    answer = ""
    while time.monotonic() < end:
        if name := children.dead():
            text = children.tail(name)
            children.stop()
            stop(f"The {name} process ended:\n{text}")
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=2, context=context) as response:
                if response.status == 200:
                    return
        except urllib.error.HTTPError as error:
            answer = error.read().decode()
        except OSError as error:
            answer = str(error)
        time.sleep(0.1)
    children.stop()
    stop(f"The system did not get well within {PATIENCE} s: {answer}")


def main():
    host, port = os.environ.get("HOST") or "127.0.0.1", read_port(os.environ.get("PORT") or "8000")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fulfillment.settings")
    var = Path(os.environ.get("VAR_DIR") or ROOT / "var")
    check_port(host, port)
    is_local = host in LOOPBACK
    url = f"{'http' if is_local else 'https'}://{f'[{host}]' if ':' in host else host}:{port}"
    claimed = claim(var, url)
    certificate = None if is_local else make_certificate(var / "certificates", host)
    if not is_local:
        os.environ.setdefault("ALLOWED_HOSTS", f"{host},localhost,127.0.0.1")
        os.environ.setdefault("CSRF_TRUSTED_ORIGINS", url)
        os.environ["HTTPS"] = "true"
        os.environ.setdefault("SECURE_SSL_REDIRECT", "false")
        os.environ.setdefault("SECURE_HSTS_SECONDS", "0")
    logins, is_first = ensure_prepared(var)

    def end(*_signal):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, end)  # the terminal was closed
    children = Children(var / "log")
    try:
        for name, command in commands(host, port, certificate).items():
            children.start(name, command)
        wait_until_well(url, children)
        if is_first and os.environ.get("DEMO_ORDERS") != "later":
            trust = ["--certificate", str(certificate[0])] if certificate else []
            subprocess.run(
                [sys.executable, "manage.py", "post_demo_orders", "--url", url, *trust], cwd=ROOT, check=False
            )
        print(f"\nFulfillment is at {url}", flush=True)
        for email, password in logins.items():
            print(f"  {email:28} {password}", flush=True)
        print("Ctrl-C stops it.\n", flush=True)
        while not (name := children.dead()):
            time.sleep(0.5)
        text = children.tail(name)
        children.stop()
        stop(f"The {name} process ended, so the others were stopped:\n{text}")
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # a closed terminal takes no more text
            print("\nStopping ...", flush=True)
        children.stop()
    claimed.close()


if __name__ == "__main__":
    main()
