"""Rules of the architecture that no linter knows."""

import ast
import re
from pathlib import Path

import pytest
from celery import current_app
from django.apps import apps
from django.conf import settings
from django.db import models

from fulfillment.core import events

ROOT = Path(settings.BASE_DIR)
# Upstream first. An app may point to itself and to what stands before it.
STAGES = ["core", "orders", "sources", "routing", "picking", "packing", "shipping", "overview"]
OWN_MODELS = [model for label in STAGES for model in apps.get_app_config(label).get_models()]
SOURCES = [
    path
    for folder in ("fulfillment", "orders", "routing", "picking", "packing", "shipping")
    for path in (ROOT / folder).rglob("*.py")
    if "migrations" not in path.parts
]


@pytest.mark.parametrize("model", OWN_MODELS, ids=lambda model: model._meta.label)
def test_foreign_keys_point_upstream(model):
    own = STAGES.index(model._meta.app_label)
    downstream = [
        field.name
        for field in [*model._meta.fields, *model._meta.many_to_many]
        if field.is_relation and field.related_model._meta.app_label in STAGES[own + 1 :]
    ]

    assert downstream == []


@pytest.mark.parametrize("model", OWN_MODELS, ids=lambda model: model._meta.label)
def test_choices_have_a_check_constraint(model):
    conditions = [
        constraint.condition
        for constraint in model._meta.constraints
        if isinstance(constraint, models.CheckConstraint)
    ]
    checked = {
        lookup.removesuffix("__in"): set(values)
        for condition in conditions
        for lookup, values in [child for child in condition.children if isinstance(child, tuple)]
        if lookup.endswith("__in")
    }

    for field in model._meta.fields:
        if field.choices:
            allowed = {value for value, _label in field.flatchoices}
            assert checked.get(field.name) in (allowed, allowed | {""}), f"{model._meta.label}.{field.name}"


def test_no_status_is_written_around_transit():
    bypass = re.compile(r"\.update\([^)]*\bstatus=|update_or_create\([^)]*\bstatus=|bulk_update\(", re.DOTALL)

    found = [str(path) for path in SOURCES if bypass.search(path.read_text())]

    assert found == []


def test_imports_stand_at_the_top():
    """Only ``apps.py`` may import inside a function."""
    found = [
        f"{path.relative_to(ROOT)}:{inner.lineno}"
        for path in SOURCES
        if path.name != "apps.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]

    assert found == []


def test_tasks_go_to_the_configured_broker():
    assert current_app.conf.broker_url == settings.CELERY_BROKER_URL


def test_flow_is_connected():
    connected = {event_type.__name__ for event_type, _reactions, _deliveries in events.connections()}

    assert {"OrderPlaced", "PlanRouted", "PickJobClosed", "PackJobClosed", "ParcelRequested"} <= connected


def test_every_delivery_has_a_known_lane():
    lanes = {
        delivery.lane for _event, _reactions, deliveries in events.connections() for delivery in deliveries
    }

    assert lanes <= set(settings.LANES)
