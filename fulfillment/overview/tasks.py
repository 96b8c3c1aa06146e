import datetime

from celery import shared_task
from celery.signals import worker_process_shutdown
from django.utils import timezone

from . import delivering


@shared_task
def deliver_webhooks():
    """Call the receivers. Returns at once: the calls run beside the other work of this process."""
    delivering.background.wake()


@shared_task
def forget_old_events():
    delivering.forget_old(now=timezone.now(), keep=datetime.timedelta(days=30))


@worker_process_shutdown.connect
def end_calls(**_fields):
    delivering.background.end()
