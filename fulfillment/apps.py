from django.apps import AppConfig, apps
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

# The apps whose tables people see in the administration.
OWN = ("core", "orders", "sources", "routing", "picking", "packing", "shipping")

# Names that Django makes from those of the code, as far as no other text has them already.
MADE_NAMES = [
    gettext_noop("version"),
    gettext_noop("modified at"),
    gettext_noop("custom attributes"),
    gettext_noop("tags"),
    gettext_noop("location"),
    gettext_noop("line"),
    gettext_noop("job"),
    gettext_noop("plan"),
    gettext_noop("predecessor"),
    gettext_noop("parent"),
    gettext_noop("revision"),
    gettext_noop("label"),
    gettext_noop("return label"),
    gettext_noop("delivery note"),
    gettext_noop("size"),
    gettext_noop("order id"),
    gettext_noop("process id"),
    gettext_noop("delivery preferences"),
    gettext_noop("sequence"),
    gettext_noop("plan line"),
    gettext_noop("message"),
    gettext_noop("reference"),
    gettext_noop("request"),
    gettext_noop("answer"),
    gettext_noop("ended at"),
    gettext_noop("scanned at"),
    gettext_noop("received at"),
    gettext_noop("recorded at"),
    gettext_noop("status code"),
    gettext_noop("picked delta"),
    gettext_noop("short delta"),
    gettext_noop("undoes"),
    gettext_noop("scan event"),
    gettext_noop("scan events"),
    gettext_noop("package item"),
    gettext_noop("package items"),
    gettext_noop("handover line"),
    gettext_noop("handover lines"),
    gettext_noop("booking attempt"),
    gettext_noop("booking attempts"),
    gettext_noop("routing plan line"),
    gettext_noop("routing plan lines"),
    gettext_noop("allocation"),
    gettext_noop("allocations"),
]


class FulfillmentConfig(AppConfig):
    """The roof: loads what connects the stages, once all models are there."""

    name = "fulfillment"

    def ready(self):
        from . import celery, flow  # noqa: F401

        translate_made_names()


def translate_made_names():
    """Show what has no name of its own, only one made from the code, in the reader's language too."""
    for model in apps.get_models():
        meta = model._meta
        if meta.app_label not in OWN:
            continue
        for field in (*meta.local_fields, *meta.local_many_to_many):
            if not isinstance(field.verbose_name, Promise):
                field.verbose_name = _(field.verbose_name)
        if "verbose_name" not in meta.original_attrs:
            meta.verbose_name, meta.verbose_name_plural = (
                _(meta.verbose_name),
                _(str(meta.verbose_name_plural)),
            )
