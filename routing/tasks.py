from celery import shared_task
from django.utils import timezone

from . import reroutes, services


@shared_task
def give_up_old():
    services.give_up_old(now=timezone.now())


@shared_task
def fall_back_late():
    services.fall_back_late(now=timezone.now())


@shared_task
def reroute_late():
    reroutes.reroute_late(now=timezone.now())


@shared_task
def retry_by_clock():
    services.retry_by_clock(now=timezone.now())
