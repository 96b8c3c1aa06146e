from celery import shared_task
from django.utils import timezone

from . import services


@shared_task
def give_up_old():
    services.give_up_old(now=timezone.now())
