from celery import shared_task
from django.utils import timezone

from . import comparing, pickup, tracking


@shared_task
def poll_tracking():
    """Ask the carriers where the parcels in flight are."""
    tracking.poll(now=timezone.now())


@shared_task
def expire_pickups():
    pickup.expire(now=timezone.now())


@shared_task
def compare_bookings():
    """In the morning: what the carriers booked the day before is compared with what is known here."""
    comparing.compare_all(now=timezone.now())
