from celery import shared_task
from celery.signals import worker_init, worker_ready
from django.conf import settings
from django.utils import timezone

from . import events, outbox
from .models import Heartbeat
from .services import retention


@shared_task
def dispatch(*, lane):
    """Work off the outbox of one lane."""
    outbox.dispatch(lane, find=events.delivery_for)


@shared_task
def sweep():
    """Wake the lanes whose wake-up got lost or whose retry is due."""
    for lane in outbox.lanes_due(timezone.now()):
        dispatch.apply_async(kwargs={"lane": lane}, queue=lane)


@shared_task
def beat():
    """Ask the workers of every lane for a sign of life."""
    for lane in settings.LANES:
        sign_of_life.apply_async(kwargs={"lane": lane}, queue=lane, expires=30)


@shared_task
def forget_old():
    retention.forget_old(now=timezone.now())


@shared_task
def sign_of_life(*, lane):
    Heartbeat.objects.update_or_create(lane=lane, defaults={"at": timezone.now()})


@worker_init.connect
def take_over(**_fields):
    """With the embedded broker there is one worker: what is leased when it starts was left by one that was killed."""
    if settings.CELERY_BROKER_URL.startswith("filesystem:"):
        outbox.release_leases()


@worker_ready.connect
def greet(sender, **_fields):
    """A worker that is ready says so on its lanes, before the first beat asks."""
    for lane in set(settings.LANES) & set(sender.app.amqp.queues.consume_from):
        sign_of_life(lane=lane)
