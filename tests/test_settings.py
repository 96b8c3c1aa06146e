"""Production refuses to start with a missing or insecure value, and says which in one sentence."""

import os
import re
import socket
import subprocess
import sys

import pytest
from django.conf import settings

GOOD = {
    "PRODUCTION": "true",
    "SECRET_KEY": "0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOP",
    "ALLOWED_HOSTS": "shop.example",
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing",
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
}
SETTINGS = [*GOOD, "DEBUG", "CACHE_URL", "HTTPS", "DJANGO_SETTINGS_MODULE"]


def start(tmp_path, **values):
    """Load the settings as a process of its own would; returns its last line of stderr, empty when it started."""
    env = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    process = subprocess.run(
        [sys.executable, "-c", "import fulfillment.settings"],
        cwd=settings.BASE_DIR,
        env={**env, "VAR_DIR": str(tmp_path), **values},
        capture_output=True,
        text=True,
    )
    assert (process.returncode == 0) == (process.stderr == "")
    return process.stderr.strip().rpartition("\n")[2].partition("ImproperlyConfigured: ")[2]


def test_complete_production_starts_and_keeps_nothing_on_disk(tmp_path):
    assert start(tmp_path, **GOOD) == ""
    assert list(tmp_path.iterdir()) == []


def test_embedded_mode_needs_no_setting(tmp_path):
    assert start(tmp_path) == ""
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_readme_names_every_setting():
    source = (settings.BASE_DIR / "fulfillment" / "settings.py").read_text()
    names = set(re.findall(r'\b(?:env\w*|required)\("([A-Z_]+)"', source))
    table = (settings.BASE_DIR / "README.md").read_text()

    # HTTPS is the launcher's own: with HOST= it serves https without being in production.
    assert {name for name in names if f"`{name}`" not in table} == {"HTTPS"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"TIME_ZONE": "Mars/Base"},
            "TIME_ZONE must be the name of a time zone like Europe/Amsterdam, not 'Mars/Base'.",
        ),
        (
            {"SECRET_KEY": ""},
            "SECRET_KEY must be set in production: a random text of at least 50 characters.",
        ),
        (
            {"SECRET_KEY": "short"},
            "SECRET_KEY must be a random text of at least 50 characters in production.",
        ),
        (
            {"SECRET_KEY": "a" * 60},
            "SECRET_KEY must be a random text of at least 50 characters in production.",
        ),
        (
            {"ALLOWED_HOSTS": ""},
            "ALLOWED_HOSTS must name the host names of this installation in production.",
        ),
        (
            {"ALLOWED_HOSTS": "*"},
            "ALLOWED_HOSTS must name the host names of this installation in production.",
        ),
        (
            {"DATABASE_URL": ""},
            "DATABASE_URL must be set in production: postgres://user:password@host:5432/name.",
        ),
        (
            {"DATABASE_URL": "sqlite:///fulfillment.sqlite3"},
            "DATABASE_URL must name a PostgreSQL database in production.",
        ),
        (
            {"CELERY_BROKER_URL": ""},
            "CELERY_BROKER_URL must be set in production: redis://host:6379/0.",
        ),
        (
            {"CELERY_BROKER_URL": "filesystem://"},
            "CELERY_BROKER_URL must name a Redis server in production.",
        ),
        ({"DEBUG": "true"}, "DEBUG must not be on in production."),
        ({"PRODUCTION": "maybe"}, "PRODUCTION must be true or false, not 'maybe'."),
    ],
    ids=lambda value: "=".join(*value.items())[:40] if isinstance(value, dict) else "",
)
def test_production_refuses_in_one_sentence(tmp_path, change, sentence):
    assert start(tmp_path, **{**GOOD, **change}) == sentence


def test_make_run_says_nothing_but_the_sentence(tmp_path):
    env = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    process = subprocess.run(
        [sys.executable, "deploy/run.py"],
        cwd=settings.BASE_DIR,
        env={**env, **GOOD, "SECRET_KEY": "", "VAR_DIR": str(tmp_path), "PORT": str(port)},
        capture_output=True,
        text=True,
    )

    assert process.returncode == 1
    assert (
        process.stderr.strip()
        == "SECRET_KEY must be set in production: a random text of at least 50 characters."
    )
