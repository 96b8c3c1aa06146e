"""The OpenAPI document says what the API does: every operation is in it, and none answers otherwise."""

import os

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection, transaction
from django.test import Client
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fulfillment.core.api import public
from fulfillment.core.api.document import OPERATIONS, request_examples
from fulfillment.core.api.examples import example
from fulfillment.core.api.schema import validate
from fulfillment.wsgi import application
from tests.factories.core import api_token
from tests.factories.stages import Stages
from tests.test_access import API

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))  # per operation; `make fuzz` takes more
CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
document = schemathesis.openapi.from_wsgi("/api/openapi.json", application)


def documented():
    """{(path, METHOD): operation} of the document."""
    return {
        (path, method.upper()): described
        for path, methods in document.raw_schema["paths"].items()
        for method, described in methods.items()
        if method in {"get", "post", "put", "patch", "delete"}
    }


def test_every_operation_is_documented():
    count = sum(len(pattern.callback.view_class.access) for _name, pattern in API)

    assert len(documented()) == count + len(public.OPERATIONS)


def test_every_example_is_one_that_the_code_takes():
    for own in OPERATIONS.values():
        if own["body"] is not None:
            shown = request_examples(own)
            values = (
                [shown["example"]] if "example" in shown else [e["value"] for e in shown["examples"].values()]
            )
            for value in values:
                validate(own["body"], value)
        for part in own["answers"].values():
            if part is not None and not isinstance(part, str):
                validate(part, example(part))


def test_document_shows_examples_keys_and_what_an_error_looks_like():
    operations = documented()
    post = operations["/api/orders", "POST"]
    content = post["requestBody"]["content"]["application/json"]
    actions = operations["/api/orders/{id}/actions", "POST"]["requestBody"]["content"]["application/json"]

    assert content["example"]["orderLineItems"][0]["article"]["tenantArticleId"] == "SKU-1"
    assert actions["examples"]["CANCEL"]["value"] == {"name": "CANCEL", "version": 1}
    assert [parameter["name"] for parameter in post["parameters"]] == ["Idempotency-Key"]
    assert "Location" in post["responses"]["201"]["headers"]
    conflict = post["responses"]["409"]["content"]["application/json"]["example"]
    assert (conflict[0]["requestVersion"], conflict[0]["version"]) == (1, 2)
    assert "content" not in operations["/api/stocks/{id}", "DELETE"]["responses"]["200"]


def test_operations_have_names_of_their_own_and_words():
    found = [described["operationId"] for described in documented().values()]

    assert len(set(found)) == len(found)
    assert not [name for name in found if "_" in name], "describe it with @operation"
    assert all(described.get("summary") for described in documented().values())


@pytest.mark.django_db
def test_page_of_the_document_runs_on_files_of_our_own():
    page = Client().get("/api/docs").content.decode()

    assert "swagger-ui" in page
    assert "cdn" not in page
    assert 'src="http' not in page


@pytest.fixture(autouse=True)
def one_connection():
    """The application runs in this thread and must leave the connection of the test alone."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def objects(db):
    """Ids that exist, by the first word of the path; the walk through the stages made one of each."""
    stages = Stages().plan().pick("CLOSED", 3).pack().ship("CONFIRMED", "DONE", "OPEN").give_back()
    return {
        "orders": stages.order.pk,
        "facilities": stages.facility.pk,
        "pickjobs": stages.job.pk,
        "packjobs": stages.pack_job.pk,
        "shipments": stages.shipment.pk,
        "parcels": stages.parcel.pk,
        "handoverjobs": stages.handover.pk,
        "itemreturnjobs": stages.return_job.pk,
        "processes": stages.order.process_id,
        "token": api_token(),
    }


@pytest.mark.skipif(connection.vendor != "postgresql", reason="on PostgreSQL only: it is slow")
@document.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 100,
    suppress_health_check=list(HealthCheck),
)
def test_operation_answers_as_documented(case, objects):
    first = case.operation.path.split("/")[2]
    if case.path_parameters and first in objects and next(iter(case.path_parameters)) in {"pk", "id"}:
        case.path_parameters[next(iter(case.path_parameters))] = str(objects[first])

    with transaction.atomic():
        case.call_and_validate(headers={"Authorization": f"Bearer {objects['token']}"}, checks=CHECKS)
        transaction.set_rollback(True)
