from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from fulfillment.core.models import Carrier, Document, Facility
from fulfillment.core.models.base import Stateful

from .base import FacilityQuerySet
from .parcels import Parcel


class LoadQuerySet(FacilityQuerySet):
    def open(self):
        return self.filter(status=Load.Status.OPEN)

    def for_list(self):
        """The open ones first, then those that left last; ``parcels`` is how many are on each."""
        return (
            self.select_related("carrier", "manifest", "carrier_manifest")
            .annotate(parcels=Count("loaded"))
            .order_by("-status", "-created_at")
        )


class Load(Stateful):
    """What one carrier takes along at one time: parcels are scanned onto it, then the driver signs for them."""

    class Status(models.TextChoices):
        OPEN = "OPEN", _("Being loaded")
        CLOSED = "CLOSED", _("Taken along")

    status = FSMField(_("status"), choices=Status.choices, default=Status.OPEN, protected=True)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="loads")
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="loads")
    cutoff_at = models.DateTimeField(_("cut-off"), null=True)
    closed_at = models.DateTimeField(_("taken along at"), null=True)
    driver_name = models.CharField(_("driver"), max_length=100, blank=True)
    # A PNG that was drawn anew from what was signed, stored by its hash; none when it is signed on paper.
    signature_sha256 = models.CharField(max_length=64, blank=True)
    manifest = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    carrier_manifest = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    carrier_problem = models.CharField(_("words of the carrier"), max_length=300, blank=True)

    objects = LoadQuerySet.as_manager()

    class Meta(Stateful.Meta):
        verbose_name = _("load")
        verbose_name_plural = _("loads")
        constraints = [
            models.CheckConstraint(condition=Q(status__in=["OPEN", "CLOSED"]), name="load_status"),
            models.CheckConstraint(
                condition=~Q(status="CLOSED") | (Q(closed_at__isnull=False) & ~Q(driver_name="")),
                name="load_closed",
            ),
            # Two vans of one carrier at a time would only lead to parcels on the wrong list.
            models.UniqueConstraint(
                fields=["facility", "carrier"], condition=Q(status="OPEN"), name="load_open_once"
            ),
        ]

    def __str__(self):
        return f"{self.carrier} {timezone.localtime(self.created_at, self.facility.tz):%Y-%m-%d %H:%M}"

    @transition(field=status, source=Status.OPEN, target=Status.CLOSED)
    def close(self, driver_name, signature_sha256, now):
        self.driver_name, self.signature_sha256, self.closed_at = driver_name, signature_sha256, now

    @transition(field=status, source=Status.CLOSED, target=Status.OPEN)
    def reopen(self):
        """A supervisor takes it back; the list that was signed stays among the documents."""
        self.closed_at = self.manifest = self.carrier_manifest = None
        self.driver_name = self.signature_sha256 = self.carrier_problem = ""


class LoadedParcel(models.Model):
    """A parcel that was scanned onto a load. It can be on one load only."""

    load = models.ForeignKey(Load, on_delete=models.CASCADE, related_name="loaded")
    parcel = models.OneToOneField(Parcel, on_delete=models.PROTECT, related_name="loaded")
    by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")
    loaded_at = models.DateTimeField(_("loaded at"))

    class Meta:
        ordering = ["-loaded_at", "-pk"]
        verbose_name = _("loaded parcel")
        verbose_name_plural = _("loaded parcels")

    def __str__(self):
        return str(self.parcel)


class LoadScan(models.Model):
    """One scan at the door with its stored answer: the device's id makes it happen exactly once."""

    id = models.UUIDField(primary_key=True)
    load = models.ForeignKey(Load, on_delete=models.CASCADE, related_name="scans")
    user = models.ForeignKey("core.User", on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=200)
    status_code = models.PositiveSmallIntegerField()
    answer = models.JSONField(encoder=DjangoJSONEncoder)
    scanned_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["received_at", "pk"]

    def __str__(self):
        return self.code
