"""``PATCH`` with a list of actions: applied together, or none of them."""

from django.db import transaction


def apply_together(steps, version):
    """Run the steps in one transaction; the first one gets the version that the client knows.

    Args:
        steps: functions of ``version``, for example ``functools.partial(picking.start, pk, by=..., now=...)``.
    """
    with transaction.atomic():
        for step in steps:
            step(version=version)
            version = None
