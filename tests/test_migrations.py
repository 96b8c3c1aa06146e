"""The migrations make an empty database into what the models and the other tests expect."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from fulfillment.core.models import Role
from routing.models import RoutingRevision
from shipping.models import ReturnCondition, ReturnReason

ROOT = Path(__file__).parent.parent
REPORT = """
import json
from tests.test_migrations import seeds
print(json.dumps(seeds()))
"""


def seeds():
    """Permissions of each role, the configuration that routing uses, and the words of returns."""
    roles = {role.key: sorted(role.permissions) for role in Role.objects.all()}
    words = [
        list(model.objects.order_by("position").values_list("key", "name_de"))
        for model in (ReturnReason, ReturnCondition)
    ]
    return json.loads(json.dumps([roles, RoutingRevision.objects.latest("number").data, words]))


@pytest.fixture
def empty_database(tmp_path):
    """Environment of a database nobody has used yet, of the kind the tests run on."""
    server = os.environ.get("DATABASE_URL", "")
    if not server:
        yield {"VAR_DIR": str(tmp_path)}
        return
    name = f"test_fulfillment_migrations_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
            yield {"VAR_DIR": str(tmp_path), "DATABASE_URL": url}
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.mark.django_db
def test_migrations_make_the_tables_and_seeds_of_the_tests(empty_database):
    def manage(*arguments):
        environment = {**os.environ, **empty_database, "DJANGO_SETTINGS_MODULE": "fulfillment.settings"}
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
        ).stdout

    manage("migrate", "--verbosity", "0")

    assert json.loads(manage("shell", "--verbosity", "0", "-c", REPORT)) == seeds()
