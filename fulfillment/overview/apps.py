from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OverviewConfig(AppConfig):
    name = "fulfillment.overview"
    verbose_name = _("Connected programs")
