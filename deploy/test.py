"""All tests, on every database that is there: ``make test``.

SQLite always; PostgreSQL with Redis when they answer (DATABASE_URL and CELERY_BROKER_URL, else 127.0.0.1) or when
their programs are installed: then private instances are started and ended. Only the database ``test_fulfillment_*``
and keys under an own prefix in Redis database 15 are touched.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

ROOT = Path(__file__).resolve().parent.parent
POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres"
REDIS = "redis://127.0.0.1:6379/0"
# One more than there are processors: tests wait for browsers and databases, too.
WORKERS = os.environ.get("TEST_WORKERS", str((os.cpu_count() or 1) + 1))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# PostgreSQL


def _postgres_answers(url):
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.Error:
        return False
    return True


def _postgres_program(name):
    found = shutil.which(name)
    if found:
        return found
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(versions[-1]) if versions else None


@contextlib.contextmanager
def postgres():
    """The address of a PostgreSQL server for tests, or (None, why not)."""
    named = os.environ.get("DATABASE_URL", "")
    if named:
        yield (named, "") if _postgres_answers(named) else (None, "DATABASE_URL does not answer")
        return
    if _postgres_answers(POSTGRES):
        yield POSTGRES, ""
        return
    initdb, server = _postgres_program("initdb"), _postgres_program("postgres")
    if not initdb or not server:
        yield None, "PostgreSQL does not answer on 127.0.0.1 and is not installed"
        return
    # The server refuses to run as root.
    as_user = (
        ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    )
    with tempfile.TemporaryDirectory(prefix="fulfillment-pg-") as folder:
        if as_user:
            shutil.chown(folder, "postgres", "postgres")
        data, port = f"{folder}/data", free_port()
        made = subprocess.run(
            [*as_user, initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"], capture_output=True
        )
        if made.returncode:
            yield None, f"initdb failed: {made.stderr.decode()[-200:]}"
            return
        options = ["-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        process = subprocess.Popen(
            [*as_user, server, "-D", data, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            url = f"postgres://postgres@127.0.0.1:{port}/postgres"
            for _attempt in range(100):
                if _postgres_answers(url):
                    break
                time.sleep(0.1)
            yield url, ""
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)


# Redis


def _redis_answers(url):
    try:
        redis.Redis.from_url(url, socket_connect_timeout=2).ping()
    except redis.RedisError:
        return False
    return True


@contextlib.contextmanager
def redis_server():
    """The address of database 15 of a Redis server, or (None, why not)."""
    named = os.environ.get("CELERY_BROKER_URL", "")
    if named or _redis_answers(REDIS):
        url = urlunsplit(urlsplit(named or REDIS)._replace(path="/15"))
        yield (url, "") if _redis_answers(url) else (None, "CELERY_BROKER_URL does not answer")
        return
    program = shutil.which("redis-server")
    if not program:
        yield None, "Redis does not answer on 127.0.0.1 and is not installed"
        return
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="fulfillment-redis-") as folder:
        process = subprocess.Popen(
            [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            url = f"redis://127.0.0.1:{port}/15"
            for _attempt in range(50):
                if _redis_answers(url):
                    break
                time.sleep(0.1)
            yield url, ""
        finally:
            process.terminate()
            process.wait(timeout=10)


def forget_keys(url, prefix):
    """Delete our keys, found by their prefix; never a flush."""
    client = redis.Redis.from_url(url)
    for key in client.scan_iter(match=f"{prefix}*", count=1000):
        client.delete(key)


# The legs


def run(name, arguments, **environment):
    """One run of pytest; returns its exit code."""
    print(f"\n== {name}", flush=True)
    with tempfile.TemporaryDirectory(prefix="fulfillment-tests-") as var:
        command = [sys.executable, "-m", "pytest", "-q", "-n", WORKERS, "--dist", "loadfile", *arguments]
        env = {
            **os.environ,
            **environment,
            "VAR_DIR": var,
            "TEST_RUN": os.environ.get("TEST_RUN", "make"),
            "DJANGO_SETTINGS_MODULE": "tests.settings",
        }
        return subprocess.run(command, cwd=ROOT, env=env).returncode


def main(arguments):
    failed, left_out = [], []
    with postgres() as (database, no_database), redis_server() as (broker, no_broker):
        browser = [] if database is None else ["-m", "not browser"]
        if run("SQLite", [*browser, *arguments], DATABASE_URL="", CELERY_BROKER_URL="", CACHE_URL=""):
            failed.append("SQLite")
        if database is None:
            left_out.append(f"PostgreSQL: {no_database}")
        else:
            prefix = f"fulfillment-test-{uuid.uuid4().hex[:8]}:"
            settings = {
                "DATABASE_URL": database,
                "CELERY_BROKER_URL": broker or "",
                "CELERY_KEY_PREFIX": prefix,
                "CACHE_URL": "",
                "CACHE_KEY_PREFIX": prefix,
            }
            name = "PostgreSQL and Redis" if broker else "PostgreSQL"
            if run(name, ["-m", "not once", *arguments], **settings):
                failed.append(name)
            if broker:
                forget_keys(broker, prefix)
        if broker is None:
            left_out.append(f"Redis: {no_broker}")
    for line in left_out:
        print(f"LEFT OUT  {line}")
    if failed:
        sys.exit(f"FAILED on {', '.join(failed)}")
    if left_out and os.environ.get("CI") == "true":
        sys.exit("In CI no leg may be left out.")
    print("All tests passed.")


if __name__ == "__main__":
    main(sys.argv[1:])
