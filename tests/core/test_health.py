import datetime

import pytest
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from fulfillment.core import views
from fulfillment.core.models import Heartbeat

pytestmark = pytest.mark.django_db


def alive(ago=0):
    at = timezone.now() - datetime.timedelta(seconds=ago)
    Heartbeat.objects.bulk_create(Heartbeat(lane=lane, at=at) for lane in settings.LANES)


def test_all_well(client):
    alive()

    answer = client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "worker": "ok"})


def test_silent_worker_is_named(client):
    alive(ago=61)

    answer = client.get("/healthz")

    assert answer.status_code == 503
    assert answer.json()["worker"] == f"silent on {', '.join(settings.LANES)}"


def test_lane_without_any_worker_is_named(client):
    alive()
    Heartbeat.objects.filter(lane="labels").delete()

    answer = client.get("/healthz")

    assert (answer.status_code, answer.json()["worker"]) == (503, "silent on labels")


def test_dead_database_is_named(client, monkeypatch):
    def down(*fields):
        raise DatabaseError

    monkeypatch.setattr(views.Heartbeat.objects, "values_list", down)

    answer = client.get("/healthz")

    assert (answer.status_code, answer.json()["database"]) == (503, "DatabaseError")


def test_programs_read_a_word(client):
    assert client.get("/api/status").json() == {"status": "DEGRADED"}

    alive()

    assert client.get("/api/status").json() == {"status": "UP"}
