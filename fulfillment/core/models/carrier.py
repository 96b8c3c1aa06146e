import datetime

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .base import Entity
from .facility import WEEKDAYS, Facility, clock


class Carrier(Entity):
    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", _("Active")
        INACTIVE = "INACTIVE", _("Inactive")

    class DeliveryType(models.TextChoices):
        DELIVERY = "DELIVERY", _("Delivery")
        SAMEDAY = "SAMEDAY", _("Same day")

    key = models.SlugField(_("key"), unique=True)
    name = models.CharField(_("name"), max_length=100)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.ACTIVE)
    delivery_type = models.CharField(
        _("delivery type"),
        max_length=8,
        choices=DeliveryType.choices,
        default=DeliveryType.DELIVERY,
    )
    adapter = models.SlugField(_("adapter"), default="manual", help_text=_("Which program books the label."))
    parcel_length_mm = models.PositiveIntegerField(_("parcel length (mm)"), default=350)
    parcel_width_mm = models.PositiveIntegerField(_("parcel width (mm)"), default=250)
    parcel_height_mm = models.PositiveIntegerField(_("parcel height (mm)"), default=100)
    parcel_weight_g = models.PositiveIntegerField(_("parcel weight (g)"), default=1000)

    class Meta(Entity.Meta):
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=["ACTIVE", "INACTIVE"]), name="carrier_status"),
            models.CheckConstraint(
                condition=Q(delivery_type__in=["DELIVERY", "SAMEDAY"]),
                name="carrier_delivery_type",
            ),
        ]
        verbose_name = _("carrier")
        verbose_name_plural = _("carriers")

    def __str__(self):
        return self.name


def _is_day(text):
    """Whether a text is the name of a weekday or a date like 2026-12-24."""
    if text in WEEKDAYS:
        return True
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


class FacilityCarrier(Entity):
    """A carrier as one facility uses it."""

    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="carriers")
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="facilities")
    status = models.CharField(
        _("status"),
        max_length=8,
        choices=Carrier.Status.choices,
        default=Carrier.Status.ACTIVE,
    )
    priority = models.PositiveSmallIntegerField(_("priority"), default=1, help_text=_("1 is tried first."))
    cutoffs = models.JSONField(
        _("cut-off per weekday"),
        default=dict,
        blank=True,
        help_text=_(
            'For example {"MONDAY": "16:00", "2026-12-24": "12:00", "2026-12-25": null}: a date goes before its weekday, '
            "null means that nobody comes."
        ),
    )
    delivery_countries = models.JSONField(
        _("delivers to"),
        default=list,
        blank=True,
        help_text=_("Country codes; none: everywhere."),
    )
    parcel_cost = models.DecimalField(
        _("cost of a parcel"), max_digits=8, decimal_places=2, null=True, blank=True
    )
    transit_days = models.PositiveSmallIntegerField(_("days on the way"), null=True, blank=True)

    class Meta(Entity.Meta):
        ordering = ["priority"]
        constraints = [
            models.UniqueConstraint(fields=["facility", "carrier"], name="facility_carrier_once"),
            models.CheckConstraint(
                condition=Q(status__in=["ACTIVE", "INACTIVE"]),
                name="facility_carrier_status",
            ),
        ]
        verbose_name = _("carrier of the facility")
        verbose_name_plural = _("carriers of the facility")

    def __str__(self):
        return f"{self.facility} · {self.carrier}"

    @property
    def is_active(self):
        """Whether parcels may go with it: it and its carrier are active."""
        return self.status == self.carrier.status == Carrier.Status.ACTIVE

    def clean(self):
        if not isinstance(self.cutoffs, dict) or not all(map(_is_day, self.cutoffs)):
            raise ValidationError(
                {
                    "cutoffs": _(
                        "Cut-offs are given per weekday, MONDAY to SUNDAY, or per date like 2026-12-24."
                    )
                }
            )
        for day, value in self.cutoffs.items():
            if value is not None or day in WEEKDAYS:
                clock(value)
