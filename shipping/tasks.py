from celery import shared_task
from django.utils import timezone

from . import pickup, tracking


@shared_task
def poll_tracking():
    """Ask the carriers where the parcels in flight are."""
    tracking.poll(now=timezone.now())


@shared_task
def expire_pickups():
    pickup.expire(now=timezone.now())
