from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .parcels import Parcel, TrackingStatus


class TrackEvent(models.Model):
    """Something the carrier said of a parcel on its way; told twice it is kept once."""

    class Source(models.TextChoices):
        POLL = "POLL", _("Asked")
        WEBHOOK = "WEBHOOK", _("Told by the carrier")
        API = "API", _("Told by a program")

    parcel = models.ForeignKey(Parcel, on_delete=models.PROTECT, related_name="track_events")
    status = models.CharField(_("status"), max_length=30, choices=TrackingStatus.choices)
    carrier_status = models.CharField(_("status at the carrier"), max_length=60, blank=True)
    description = models.CharField(_("description"), max_length=300, blank=True)
    location = models.CharField(_("place"), max_length=200, blank=True)
    source = models.CharField(_("source"), max_length=7, choices=Source.choices)
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"), default=timezone.now)

    class Meta:
        ordering = ["happened_at", "pk"]
        verbose_name = _("tracking event")
        verbose_name_plural = _("tracking events")
        constraints = [
            models.UniqueConstraint(
                fields=["parcel", "happened_at", "status", "carrier_status"], name="track_event_once"
            ),
            models.CheckConstraint(condition=Q(status__in=TrackingStatus.values), name="track_event_status"),
            models.CheckConstraint(
                condition=Q(source__in=["POLL", "WEBHOOK", "API"]), name="track_event_source"
            ),
        ]

    def __str__(self):
        return f"{self.happened_at:%Y-%m-%d %H:%M} {self.status}"
