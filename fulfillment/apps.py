from django.apps import AppConfig


class FulfillmentConfig(AppConfig):
    """The roof: loads what connects the stages, once all models are there."""

    name = "fulfillment"

    def ready(self):
        from . import celery, flow  # noqa: F401
