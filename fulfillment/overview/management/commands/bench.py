import contextlib
import json
import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from psycopg import sql

REDIS = "redis://127.0.0.1:6379/15"
POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres"
MEASURE = """
import django, gc, importlib, json, sys
django.setup()
gc.freeze()
from django.core.management import call_command
call_command("migrate", verbosity=0)
name = sys.argv[1]
print(f"  {name} ...", file=sys.stderr, flush=True)
print(json.dumps(importlib.import_module(f"tests.bench.bench_{name}").measure()))
"""


class Command(BaseCommand):
    help = (
        "Measure the speed of import, routing, labels and scans on SQLite and (when it answers) PostgreSQL, each in a "
        "database made for it and dropped afterwards. Compare the ratios of one run, never times of two machines."
    )

    def add_arguments(self, parser):
        parser.add_argument("names", nargs="*", help="Which to run: import, routing ...; none: all.")
        parser.add_argument("--json", action="store_true", help="Print JSON instead of a table.")
        parser.add_argument("--database", choices=["sqlite", "postgresql"], help="Only this one.")

    def handle(self, *, names, json: bool, database, **options):
        if settings.PRODUCTION:
            raise CommandError("Benchmarks do not run in production mode.")
        names = names or _all_names()
        if unknown := set(names) - set(_all_names()):
            raise CommandError(
                f"There is no benchmark {', '.join(unknown)}; there are {', '.join(_all_names())}."
            )
        rows = []
        if database != "postgresql":
            rows += [{"database": "SQLite", **row} for row in self._on_sqlite(names)]
        if database != "sqlite":
            rows += [{"database": "PostgreSQL", **row} for row in self._on_postgresql(names)]
        self.stdout.write(_json(rows) if json else _table(rows))

    def _on_sqlite(self, names):
        self.stderr.write("SQLite")
        return [row for name in names for row in _measure(name, DATABASE_URL="")]

    def _on_postgresql(self, names):
        server = os.environ.get("DATABASE_URL") or POSTGRES
        try:
            connection = psycopg.connect(server, autocommit=True, connect_timeout=3)
        except psycopg.OperationalError as error:
            self.stderr.write(f"PostgreSQL left out: {error}")
            return []
        with connection:
            self.stderr.write("PostgreSQL")
            return [row for name in names for row in self._on_new_database(connection, server, name)]

    def _on_new_database(self, connection, server, name):
        """One benchmark in a database of its own: what it leaves must not slow down the next."""
        database = sql.Identifier(f"bench_fulfillment_{uuid.uuid4().hex[:8]}")
        connection.execute(sql.SQL("CREATE DATABASE {}").format(database))
        try:
            url = urlunsplit(urlsplit(server)._replace(path="/" + database.as_string().strip('"')))
            with self._redis() as environment:
                return _measure(name, DATABASE_URL=url, **environment)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))

    @contextlib.contextmanager
    def _redis(self):
        """Broker and cache as in production; without Redis the embedded ones do it, and are slower."""
        url = os.environ.get("CACHE_URL") or REDIS
        client, prefix = redis.Redis.from_url(url, socket_connect_timeout=2), f"bench-{uuid.uuid4().hex[:8]}:"
        try:
            client.ping()
        except redis.RedisError as error:
            self.stderr.write(f"Redis left out: {error}")
            yield {}
            return
        keys = {"CELERY_KEY_PREFIX": prefix, "CACHE_KEY_PREFIX": prefix}
        try:
            yield {"CACHE_URL": url, "CELERY_BROKER_URL": url, **keys}
        finally:
            for key in client.scan_iter(match=f"{prefix}*", count=1000):
                client.delete(key)


def _all_names():
    return sorted(
        path.stem.removeprefix("bench_")
        for path in (Path(settings.BASE_DIR) / "tests/bench").glob("bench_*.py")
    )


def _measure(name, **environment):
    with tempfile.TemporaryDirectory(prefix="fulfillment-bench-") as var:
        # Background work goes to queues of the bench's own, which nobody works off.
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, name],
            cwd=settings.BASE_DIR,
            env={
                **os.environ,
                "CACHE_URL": "",
                "CELERY_BROKER_URL": "",
                **environment,
                "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
                "VAR_DIR": var,
                "DEBUG": "false",
            },
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    if done.returncode:
        raise CommandError("A benchmark failed; its error stands above.")
    return json.loads(done.stdout.splitlines()[-1])


def _json(rows):
    return json.dumps(rows, indent=2)


def _table(rows):
    """Rows as text columns; ``ratio`` is against the floor that the note names."""
    lines = [("database", "what", "value", "", "ratio", "note")]
    for row in rows:
        ratio = f"{row['ratio']:.2f}" if row.get("ratio") is not None else ""
        value = f"{row['value']:,.1f}" if isinstance(row["value"], float) else f"{row['value']:,}"
        lines.append((row["database"], row["name"], value, row["unit"], ratio, row.get("note", "")))
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    right = {2, 4}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
