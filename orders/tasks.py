from celery import shared_task
from django.utils import timezone

from . import bulk, services


@shared_task
def expire_promises():
    services.expire_promises(now=timezone.now())


@shared_task
def forget_bulks():
    bulk.forget_old(now=timezone.now())
