from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from fulfillment.core.ids import uuid7
from fulfillment.core.models import Facility
from fulfillment.core.models.base import Stateful
from orders.models import Order, OrderLine
from picking.models import PickJob, PickLine

from .base import FacilityQuerySet
from .parcels import Parcel


class HandoverJobQuerySet(FacilityQuerySet):
    def for_api(self):
        return self.select_related("order", "parcel__carrier", "parcel__shipment").prefetch_related(
            "lines__pick_line__order_line",
            "lines__pick_line__article",
            "assigned_users",
            "parcel__load_units",
        )

    def open(self):
        return self.filter(status__in=HandoverJob.UNFINISHED)

    def for_list(self):
        return (
            self.select_related("order", "parcel__carrier", "parcel__loaded")
            .prefetch_related("assigned_users")
            .order_by(F("target_time").asc(nulls_first=True), "pk")
        )


class HandoverJob(Stateful):
    """Handing one parcel to the carrier, or a collected order to the customer."""

    class Status(models.TextChoices):
        OPEN = "OPEN", _("Open")
        WAITING_FOR_INPUT = "WAITING_FOR_INPUT", _("Needs a decision")
        HANDED_OVER = "HANDED_OVER", _("Handed over")
        CANCELED = "CANCELED", _("Cancelled")
        OBSOLETE = "OBSOLETE", _("Obsolete")

    UNFINISHED = ["OPEN", "WAITING_FOR_INPUT"]
    GIVEN_UP = ["CANCELED", "OBSOLETE"]

    class Channel(models.TextChoices):
        DELIVERY = "DELIVERY", _("To the carrier")
        COLLECT = "COLLECT", _("To the customer")

    class CancelReason(models.TextChoices):
        CONSUMER_NO_SHOW = "CONSUMER_NO_SHOW", _("Customer did not come")
        CONSUMER_REJECTS = "CONSUMER_REJECTS", _("Customer refuses")
        ORDER_CANCELED = "ORDER_CANCELED", _("Order cancelled")

    status = FSMField(_("status"), choices=Status.choices, default=Status.OPEN, protected=True)
    channel = models.CharField(_("channel"), max_length=8, choices=Channel.choices)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="handover_jobs")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="handover_jobs")
    pick_job = models.ForeignKey(PickJob, on_delete=models.PROTECT, related_name="handover_jobs")
    parcel = models.OneToOneField(Parcel, on_delete=models.PROTECT, null=True, related_name="handover_job")
    short_id = models.CharField(_("short id"), max_length=10)
    recipient_name = models.CharField(_("recipient"), max_length=200)
    is_paid = models.BooleanField(_("paid"), default=True)
    target_time = models.DateTimeField(_("target time"), null=True)
    assigned_users = models.ManyToManyField(
        "core.User", related_name="+", blank=True, verbose_name=_("assigned to")
    )
    cancel_reason = models.CharField(_("reason"), max_length=20, choices=CancelReason.choices, blank=True)
    handed_over_at = models.DateTimeField(_("handed over at"), null=True)

    objects = HandoverJobQuerySet.as_manager()

    class Meta(Stateful.Meta):
        verbose_name = _("handover job")
        verbose_name_plural = _("handover jobs")
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "OPEN",
                        "WAITING_FOR_INPUT",
                        "HANDED_OVER",
                        "CANCELED",
                        "OBSOLETE",
                    ]
                ),
                name="handover_status",
            ),
            models.CheckConstraint(
                condition=Q(channel__in=["DELIVERY", "COLLECT"]),
                name="handover_channel",
            ),
            models.CheckConstraint(
                condition=Q(
                    cancel_reason__in=[
                        "",
                        "CONSUMER_NO_SHOW",
                        "CONSUMER_REJECTS",
                        "ORDER_CANCELED",
                    ]
                ),
                name="handover_cancel_reason",
            ),
            models.CheckConstraint(
                condition=~Q(status="HANDED_OVER") | Q(handed_over_at__isnull=False),
                name="handover_handed_over_at",
            ),
            models.CheckConstraint(
                condition=~Q(status="CANCELED") | ~Q(cancel_reason=""),
                name="handover_canceled",
            ),
            models.CheckConstraint(
                condition=Q(channel="COLLECT", parcel=None) | Q(channel="DELIVERY", parcel__isnull=False),
                name="handover_parcel",
            ),
        ]

    def __str__(self):
        return self.short_id

    @transition(
        field=status,
        source=[Status.OPEN, Status.WAITING_FOR_INPUT],
        target=Status.HANDED_OVER,
    )
    def hand_over(self, now):
        self.handed_over_at = now

    @transition(field=status, source=Status.OPEN, target=Status.WAITING_FOR_INPUT)
    def wait(self):
        """Somebody has to decide something before the goods may leave."""

    @transition(field=status, source=Status.WAITING_FOR_INPUT, target=Status.OPEN)
    def go_on(self):
        """It was decided."""

    @transition(field=status, source=Status.HANDED_OVER, target=Status.OPEN)
    def revert(self):
        self.handed_over_at = None

    @transition(
        field=status,
        source=[Status.OPEN, Status.WAITING_FOR_INPUT],
        target=Status.CANCELED,
    )
    def cancel(self, reason):
        self.cancel_reason = reason

    @transition(
        field=status,
        source=[Status.OPEN, Status.WAITING_FOR_INPUT],
        target=Status.OBSOLETE,
    )
    def make_obsolete(self):
        """The label of its parcel was cancelled."""


class HandoverLine(models.Model):
    class NotGiven(models.TextChoices):
        """Why units do not come though they were packed, for the shop."""

        REFUSED = "REFUSED", _("The customer did not take it.")
        MISSING = "MISSING", _("Packed, and not there any more")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(HandoverJob, on_delete=models.CASCADE, related_name="lines")
    order_line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="handover_lines")
    pick_line = models.ForeignKey(PickLine, on_delete=models.PROTECT, related_name="handover_lines")
    title = models.CharField(_("title"), max_length=500)
    quantity = models.PositiveIntegerField(_("units"))
    handed_over = models.PositiveIntegerField(_("handed over"), default=0)
    # [{"quantity", "reason", "comment"}]
    refused = models.JSONField(_("refused"), default=list, blank=True)
    # Packed, and not there any more when it is to be given.
    missing = models.PositiveIntegerField(_("missing"), default=0)
    # Said before the job is handed over: nothing of this line is open any more.
    is_decided = models.BooleanField(_("decided"), default=False)
    # What is recorded of these units, see ``fulfillment.core.attributes``.
    recordable_attributes = models.JSONField(_("recordable attributes"), default=list, blank=True)

    class Meta:
        ordering = ["order_line__position", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(handed_over__lte=F("quantity") - F("missing")), name="handover_line_units"
            ),
            models.CheckConstraint(condition=Q(missing__lte=F("quantity")), name="handover_line_missing"),
        ]

    def __str__(self):
        return f"{self.quantity} × {self.title}"

    @property
    def there(self):
        """Units that can be handed over or refused."""
        return self.quantity - self.missing

    @property
    def refused_units(self):
        return sum(entry["quantity"] for entry in self.refused)

    @property
    def sku(self):
        return self.pick_line.sku
