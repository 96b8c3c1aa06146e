from celery import shared_task
from django.utils import timezone

from . import assignments, services


@shared_task
def reroute_idle():
    services.reroute_idle(now=timezone.now())


@shared_task
def release_abandoned():
    assignments.release_abandoned(now=timezone.now())
