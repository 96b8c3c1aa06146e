from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from fulfillment.core.models import Document, Facility
from packing.models import Package

from .handovers import HandoverJob


class PickupSettings(models.Model):
    """What customers show before they get their goods, and how long these wait. Those without a facility are for all."""

    facility = models.OneToOneField(
        Facility,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="pickup_settings",
        verbose_name=_("facility"),
        help_text=_("None: for every facility without settings of its own."),
    )
    asks_for_code = models.BooleanField(_("PIN or QR code"), default=True)
    asks_for_packages = models.BooleanField(
        _("every package scanned"),
        default=False,
        help_text=_("So that no package of another customer is given, and none is forgotten."),
    )
    asks_for_id = models.BooleanField(
        _("identity card"), default=False, help_text=_("Kept is only that it was seen, by whom and when.")
    )
    asks_for_age = models.BooleanField(_("age"), default=False)
    asks_for_signature = models.BooleanField(_("signature"), default=False)
    days_to_collect = models.PositiveSmallIntegerField(
        _("days to collect"),
        default=7,
        validators=[MaxValueValidator(365)],
        help_text=_("After that the goods go back on their shelves. 0: they wait for ever."),
    )

    class Meta:
        verbose_name = _("pick-up settings")
        verbose_name_plural = _("pick-up settings")
        constraints = [
            models.UniqueConstraint(
                models.Value(1),
                condition=Q(facility=None),
                name="pickup_settings_for_all_once",
                violation_error_message=_("There are settings for all facilities already."),
            )
        ]

    def __str__(self):
        return str(self.facility or _("All facilities"))


class Pickup(models.Model):
    """How a customer proves to be the one who collects, and what was seen when the goods were given."""

    class Shown(models.TextChoices):
        PIN = "PIN", _("PIN")
        QR = "QR", _("QR code")
        SUPERVISOR = "SUPERVISOR", _("A supervisor vouched")

    job = models.OneToOneField(HandoverJob, on_delete=models.CASCADE, related_name="pickup")
    # What the QR code begins with; the signature behind it is made from this and the secret key.
    code = models.CharField(_("code"), max_length=20, unique=True)
    pin_hash = models.CharField(max_length=64)
    collect_until = models.DateTimeField(_("to be collected until"), null=True)
    wrong_tries = models.PositiveSmallIntegerField(_("wrong PINs"), default=0)
    place = models.CharField(_("place"), max_length=40, blank=True)
    shown = models.CharField(_("shown"), max_length=10, choices=Shown.choices, blank=True)
    is_id_seen = models.BooleanField(_("identity card seen"), default=False)
    is_age_checked = models.BooleanField(_("age checked"), default=False)
    signature_sha256 = models.CharField(max_length=64, blank=True)
    is_signed_on_paper = models.BooleanField(_("signed on paper"), default=False)
    papers_made_at = models.DateTimeField(_("papers made at"), null=True, editable=False)
    receipt = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = _("pick-up")
        verbose_name_plural = _("pick-ups")
        constraints = [
            models.CheckConstraint(
                condition=Q(shown__in=["", "PIN", "QR", "SUPERVISOR"]), name="pickup_shown"
            )
        ]
        indexes = [models.Index(fields=["collect_until"], name="pickup_until")]

    def __str__(self):
        return self.code


class PickupPackage(models.Model):
    """A package that a customer collects: where it stands, and when it was fetched to be given."""

    pickup = models.ForeignKey(Pickup, on_delete=models.CASCADE, related_name="packages")
    package = models.OneToOneField(Package, on_delete=models.CASCADE, related_name="to_collect")
    place = models.CharField(_("place"), max_length=40, blank=True)
    fetched_at = models.DateTimeField(_("fetched at"), null=True)
    fetched_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["package__number"]
        verbose_name = _("package to collect")
        verbose_name_plural = _("packages to collect")

    def __str__(self):
        return self.package.code

    @property
    def stands_at(self):
        """The place that was noted here, else the storage location that packing noted."""
        return self.place or (self.package.location.name if self.package.location else "")
