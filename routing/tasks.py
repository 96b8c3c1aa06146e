from celery import shared_task
from django.utils import timezone

from . import services


@shared_task
def give_up_old():
    services.give_up_old(now=timezone.now())


@shared_task
def reroute_late():
    services.reroute_late(now=timezone.now())
