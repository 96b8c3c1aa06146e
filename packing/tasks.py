from celery import shared_task
from django.utils import timezone

from . import services


@shared_task
def release_lost():
    services.release_lost(now=timezone.now())
