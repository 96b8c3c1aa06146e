from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from fulfillment.core.models import Carrier, Document, Facility
from fulfillment.core.models.base import Stateful
from orders.models import Order
from picking.models import PickJob

from .base import FacilityQuerySet


class ShipmentQuerySet(FacilityQuerySet):
    def for_api(self):
        return self.select_related("order", "carrier", "facility").prefetch_related(
            "parcels", "pick_job__pack_job__lines__order_line", "pick_job__pack_job__lines__article"
        )

    def for_list(self):
        return (
            self.select_related("order", "carrier")
            .prefetch_related("parcels")
            .order_by(F("target_time").asc(nulls_first=True), "pk")
        )


class Shipment(Stateful):
    """What one facility sends for an order, in one or more parcels."""

    class Status(models.TextChoices):
        INITIAL = "INITIAL", _("New")
        REQUEST = "REQUEST", _("Labels requested")
        CONFIRMED = "CONFIRMED", _("Labels ready")
        COMPLETED = "COMPLETED", _("Handed over")
        RETRYABLE = "RETRYABLE", _("To be retried")
        CANCELED = "CANCELED", _("Cancelled")
        OBSOLETE = "OBSOLETE", _("Obsolete")

    UNFINISHED = ["INITIAL", "REQUEST", "CONFIRMED", "RETRYABLE"]
    LABELLED = ["CONFIRMED", "COMPLETED"]

    status = FSMField(_("status"), choices=Status.choices, default=Status.INITIAL, protected=True)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="shipments")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="shipments")
    pick_job = models.OneToOneField(PickJob, on_delete=models.PROTECT, related_name="shipment")
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, null=True, related_name="shipments")
    short_id = models.CharField(_("short id"), max_length=10)
    target_time = models.DateTimeField(_("target time"), null=True)
    # The recipient as it stands on the label (fields of orders.models.Address); may be corrected here.
    recipient = models.JSONField(_("recipient"), default=dict)
    delivery_note = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    # What the return slip bears as its QR code; given with the papers.
    return_code = models.CharField(_("return code"), max_length=20, unique=True, null=True, editable=False)
    papers_made_at = models.DateTimeField(_("papers made at"), null=True, editable=False)

    objects = ShipmentQuerySet.as_manager()

    class Meta(Stateful.Meta):
        verbose_name = _("shipment")
        verbose_name_plural = _("shipments")
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "INITIAL",
                        "REQUEST",
                        "CONFIRMED",
                        "COMPLETED",
                        "RETRYABLE",
                        "CANCELED",
                        "OBSOLETE",
                    ]
                ),
                name="shipment_status",
            )
        ]

    def __str__(self):
        return self.short_id

    @transition(field=status, source=[Status.INITIAL, Status.RETRYABLE], target=Status.REQUEST)
    def request(self, carrier):
        self.carrier = carrier

    @transition(field=status, source=Status.REQUEST, target=Status.CONFIRMED)
    def confirm(self):
        """Every parcel has its label."""

    @transition(field=status, source=[Status.REQUEST, Status.CONFIRMED], target=Status.RETRYABLE)
    def retry(self):
        """A label was cancelled: its package needs another one, and the papers name a parcel that is none any more."""
        self.delivery_note = self.papers_made_at = None

    @transition(field=status, source=Status.CONFIRMED, target=Status.COMPLETED)
    def complete(self):
        """Every parcel is handed over."""

    @transition(field=status, source=Status.COMPLETED, target=Status.CONFIRMED)
    def reopen(self):
        """A handover was reverted."""

    @transition(
        field=status,
        source=[Status.INITIAL, Status.REQUEST, Status.CONFIRMED, Status.RETRYABLE],
        target=Status.CANCELED,
    )
    def cancel(self):
        """The order is no longer wanted."""

    @transition(field=status, source=Status.INITIAL, target=Status.OBSOLETE)
    def make_obsolete(self):
        """Its goods are being picked again."""

    @transition(field=status, source=Status.OBSOLETE, target=Status.INITIAL)
    def renew(self):
        """Its goods were picked again."""
