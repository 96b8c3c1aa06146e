import importlib

import pytest
from django.apps import apps

from fulfillment.core.models import Role


@pytest.fixture(autouse=True)
def seeds(request):
    """Roles and routing configuration come with the migrations; a test with real transactions empties all tables."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None:
        return
    request.getfixturevalue("transactional_db" if marker.kwargs.get("transaction") else "db")
    if not Role.objects.exists():
        importlib.import_module("fulfillment.core.migrations.0002_roles").create_roles(apps, None)
        importlib.import_module("routing.migrations.0002_seed").seed(apps, None)
