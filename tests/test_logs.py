import logging

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories.core import FacilityFactory, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def formatted(caplog):
    caplog.handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    caplog.handler.stream.truncate(0)
    return lambda: caplog.handler.stream.getvalue().strip("\0\n").splitlines()


def test_request_that_is_not_allowed_is_one_line(formatted):
    facility, client = FacilityFactory(), Client()
    client.force_login(staff("picker", facility))
    address = reverse("packing:job-list", args=[facility.slug])

    assert client.get(address).status_code == 403

    assert formatted() == [f"WARNING django.request Forbidden (Permission denied): {address}"]


def test_request_that_breaks_is_logged_whole(formatted, monkeypatch):
    client = Client(raise_request_exception=False)
    client.force_login(staff("administrator"))
    monkeypatch.setattr("fulfillment.overview.views.render", lambda *_args, **_options: 1 / 0)

    assert client.get(reverse("overview:order-list")).status_code == 500

    assert "ZeroDivisionError: division by zero" in formatted()
