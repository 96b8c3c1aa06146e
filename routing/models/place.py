from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Place(models.Model):
    """A point for an address: a city by name or a postal-code area. Source: GeoNames (CC BY 4.0)."""

    class Kind(models.TextChoices):
        CITY = "CITY", _("City")
        POSTAL_CODE = "POSTAL_CODE", _("Postal code")

    country = models.CharField(_("country"), max_length=2)
    kind = models.CharField(_("kind"), max_length=11, choices=Kind.choices)
    key = models.CharField(_("name or code"), max_length=100)
    latitude = models.FloatField(_("latitude"))
    longitude = models.FloatField(_("longitude"))
    population = models.PositiveIntegerField(_("inhabitants"), default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["country", "kind", "key"], name="place_once"),
            models.CheckConstraint(condition=Q(kind__in=["CITY", "POSTAL_CODE"]), name="place_kind"),
        ]
        verbose_name = _("place")
        verbose_name_plural = _("places")

    def __str__(self):
        return f"{self.country} {self.key}"
