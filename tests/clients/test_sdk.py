"""The official TypeScript SDK from npm, unmodified, drives one order from creation to handed over."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.db import connection

from fulfillment.core.api import signin
from fulfillment.core.models import Facility, RefreshToken
from shipping.models import HandoverJob
from tests.factories.core import ChannelFactory, FacilityCarrierFactory, staff

HERE = Path(__file__).parent
CLIENTS = HERE.parent.parent / "docs" / "clients"
PASSWORD = "long enough"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="on PostgreSQL only: a server with a worker"
    ),
]


@pytest.fixture(scope="session")
def sdk(tmp_path_factory):
    """A folder in which the SDK is installed."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: the SDK of the reference platform was not tried")
    folder = tmp_path_factory.mktemp("sdk")
    for file in (HERE / "package.json", HERE / "flow.mjs", CLIENTS / "client.mjs", CLIENTS / "redirect.mjs"):
        shutil.copy(file, folder)
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
    )
    if done.returncode:
        pytest.skip(f"npm could not install the SDK of the reference platform: {done.stderr[-300:]}")
    return folder


@pytest.fixture
def account(db, settings, monkeypatch):
    settings.WEBHOOKS_MAY_CALL_LOOPBACK = True
    # The SDK renews a token five seconds before it is said to end, so it does with every call.
    monkeypatch.setattr(signin, "_seconds", lambda: "5")
    user = staff("administrator", email="shop@demo.example", password=PASSWORD)
    user.channel = ChannelFactory()
    user.save(update_fields=["channel"])
    return user


@pytest.mark.parametrize("way", ["subclass", "preload"])
def test_sdk_carries_an_order_to_the_customer(sdk, account, live_server, worker, way):
    def run(mode, *arguments):
        preload = ["--import", "./redirect.mjs"] if way == "preload" else []
        environment = {**os.environ, **({"FULFILLMENT_URL": live_server.url} if preload else {})}
        done = subprocess.run(
            ["node", *preload, "flow.mjs", mode, live_server.url, account.email, PASSWORD, *arguments],
            cwd=sdk,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
        return json.loads(done.stdout.splitlines()[-1])

    prepared = run("prepare")
    FacilityCarrierFactory(facility=Facility.objects.get(pk=prepared["facility"]))
    seen = run("deliver", prepared["facility"])

    assert seen["label"] == "%PDF"
    assert seen["tracking"]
    assert seen["hasDecision"]
    assert HandoverJob.objects.get().status == "HANDED_OVER"
    assert [entry["event"] for entry in seen["heard"]] == [
        "ORDER_CREATED",
        "PICK_JOB_CREATED",
        "PICK_JOB_PICKING_FINISHED",
        "HANDOVERJOB_CREATED",
        "HANDOVERJOB_HANDED_OVER",
    ]
    assert {entry["shop"] for entry in seen["heard"]} == {"secret"}
    assert all(entry["signature"].startswith("v1,") for entry in seen["heard"])
    assert [entry["commercetoolsId"] for entry in seen["heard"][:3]] == ["c-1", "c-1", "c-1"]
    assert RefreshToken.objects.filter(last_used_at__isnull=False).exists()
