"""The Celery app. Configuration is read from the Django settings with the prefix ``CELERY_``."""

import gc
import os

from celery import Celery
from celery.signals import worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fulfillment.settings")

app = Celery("fulfillment")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def keep_what_is_loaded(**kwargs):
    """As in the web server: the collector need not look at the loaded code again."""
    gc.freeze()
