import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from fulfillment.core.views import SHELL


@pytest.mark.parametrize("name", SHELL)
def test_every_file_that_is_kept_on_devices_exists(name):
    assert finders.find(name)


def test_every_file_that_a_kept_one_imports_is_kept_too():
    scripts = [name for name in SHELL if name.startswith("js/")]

    wanted = {
        f"js/{module}"
        for name in scripts
        for module in re.findall(r'from "\./([\w.]+)"', Path(finders.find(name)).read_text())
    }

    assert wanted <= set(scripts)


def test_worker_is_asked_for_each_time_and_names_its_files(client):
    response = client.get("/sw.js")

    assert response["Content-Type"] == "text/javascript"
    assert "no-cache" in response["Cache-Control"]
    assert "/static/js/pick.js" in response.content.decode()


def test_worker_changes_with_its_files(client, monkeypatch):
    before = client.get("/sw.js").content

    monkeypatch.setattr("fulfillment.core.views.SHELL", SHELL[1:])

    assert client.get("/sw.js").content != before


def test_page_without_connection_needs_nobody_signed_in(client, db):
    page = client.get("/offline/").content.decode()

    assert "No connection" in page
