from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from fulfillment.core.ids import uuid7
from fulfillment.core.models import Carrier, Document, Facility
from fulfillment.core.models.base import LockingQuerySet, Stateful
from orders.models import Order, OrderLine
from packing.models import Package
from picking.models import PickJob


class FacilityQuerySet(LockingQuerySet):
    def at(self, facility):
        return self.filter(facility=facility)


class ShipmentQuerySet(FacilityQuerySet):
    def for_api(self):
        return self.select_related("order", "carrier", "facility").prefetch_related(
            "parcels", "pick_job__lines__order_line"
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


class ParcelQuerySet(FacilityQuerySet):
    def for_api(self):
        return self.select_related("order", "shipment", "carrier", "facility").prefetch_related(
            "package__items__line__order_line"
        )


class Parcel(Stateful):
    class Status(models.TextChoices):
        OPEN = "OPEN", _("Open")
        PROCESSING = "PROCESSING", _("Label is being made")
        DONE = "DONE", _("Label ready")
        FAILED = "FAILED", _("Refused by the carrier")
        WAITING_FOR_INPUT = "WAITING_FOR_INPUT", _("Needs a decision")
        CANCELED = "CANCELED", _("Cancelled")
        OBSOLETE = "OBSOLETE", _("Obsolete")

    status = FSMField(_("status"), choices=Status.choices, default=Status.OPEN, protected=True)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="parcels")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="parcels")
    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="parcels")
    package = models.OneToOneField(Package, on_delete=models.PROTECT, related_name="parcel")
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="parcels")
    code = models.CharField(_("code"), max_length=30, unique=True)
    weight_g = models.PositiveIntegerField(_("weight (g)"))
    length_mm = models.PositiveIntegerField(_("length (mm)"))
    width_mm = models.PositiveIntegerField(_("width (mm)"))
    height_mm = models.PositiveIntegerField(_("height (mm)"))
    tracking_number = models.CharField(_("tracking number"), max_length=120, blank=True, db_index=True)
    tracking_url = models.URLField(_("tracking page"), max_length=500, blank=True)
    return_tracking_number = models.CharField(_("return tracking number"), max_length=120, blank=True)
    # What a scanner reads off the label; on carrier labels this differs from the tracking number.
    scan_codes = models.JSONField(_("codes on the label"), default=list)
    label = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    return_label = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    # {"outcome", "code", "message", "fields": [[name, message]]} of the last failed booking
    problem = models.JSONField(_("problem"), default=dict, blank=True)
    warnings = models.JSONField(_("warnings"), default=list, blank=True)

    objects = ParcelQuerySet.as_manager()

    class Meta(Stateful.Meta):
        verbose_name = _("parcel")
        verbose_name_plural = _("parcels")
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "OPEN",
                        "PROCESSING",
                        "DONE",
                        "FAILED",
                        "WAITING_FOR_INPUT",
                        "CANCELED",
                        "OBSOLETE",
                    ]
                ),
                name="parcel_status",
            ),
            models.CheckConstraint(
                condition=~Q(status="DONE") | ~Q(tracking_number=""),
                name="parcel_done_tracking_number",
            ),
        ]

    def __str__(self):
        return self.code

    @transition(
        field=status,
        source=Status.OPEN,
        target=Status.PROCESSING,
    )
    def begin(self):
        """A booking attempt goes out."""
        self.problem = {}

    @transition(
        field=status,
        source=[Status.PROCESSING, Status.WAITING_FOR_INPUT],
        target=Status.DONE,
    )
    def done(self, booking, label, return_label):
        """The carrier booked it, be it that its answer came late."""
        self._take(booking, label, return_label)

    def _take(self, booking, label, return_label):
        self.tracking_number, self.tracking_url = booking.number, booking.tracking_url
        self.return_tracking_number, self.problem = booking.return_number, {}
        self.scan_codes, self.warnings = list(booking.scan_codes), list(booking.warnings)
        self.label, self.return_label = label, return_label

    @transition(field=status, source=[Status.FAILED, Status.WAITING_FOR_INPUT], target=Status.DONE)
    def enter_number(self, booking, label, return_label):
        """A person booked at the carrier and typed its number."""
        self._take(booking, label, return_label)

    @transition(field=status, source=[Status.FAILED, Status.WAITING_FOR_INPUT], target=Status.OPEN)
    def request_again(self):
        """A person corrected what was wrong, or decided that nothing was booked."""
        self.problem = {}

    @transition(field=status, source=Status.PROCESSING, target=Status.FAILED)
    def fail(self, problem):
        self.problem = problem

    @transition(field=status, source=Status.PROCESSING, target=Status.OPEN)
    def put_back(self, problem):
        """The carrier could not be reached: nothing was booked, it is tried again later."""
        self.problem = problem

    @transition(
        field=status,
        source=[Status.PROCESSING, Status.OPEN],
        target=Status.WAITING_FOR_INPUT,
    )
    def ask(self, problem):
        """Only a person can decide: the carrier may have booked, or a number has to be typed in."""
        self.problem = problem

    @transition(
        field=status,
        source=[
            Status.OPEN,
            Status.PROCESSING,
            Status.DONE,
            Status.FAILED,
            Status.WAITING_FOR_INPUT,
        ],
        target=Status.CANCELED,
    )
    def cancel(self):
        """The order is no longer wanted."""


class BookingAttempt(models.Model):
    """One call to a carrier, written before it is made, so that no booking is ever made twice unseen."""

    class Outcome(models.TextChoices):
        PENDING = "PENDING", _("Under way")
        BOOKED = "BOOKED", _("Booked")
        REJECTED = "REJECTED", _("Rejected")
        RETRY = "RETRY", _("Not reached")
        UNKNOWN = "UNKNOWN", _("Unknown")

    parcel = models.ForeignKey(Parcel, on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    reference = models.CharField(max_length=40, unique=True)
    request = models.JSONField(encoder=DjangoJSONEncoder)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.PENDING)
    message = models.TextField(blank=True)
    # What the carrier booked, its papers as hashes: kept at once, so that no later fault loses a paid label.
    answer = models.JSONField(default=dict, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["parcel", "number"], name="attempt_number"),
            models.CheckConstraint(
                condition=Q(outcome__in=["PENDING", "BOOKED", "REJECTED", "RETRY", "UNKNOWN"]),
                name="attempt_outcome",
            ),
        ]

    def __str__(self):
        return self.reference


class HandoverJobQuerySet(FacilityQuerySet):
    def for_api(self):
        return self.select_related("order", "parcel__carrier", "parcel__shipment").prefetch_related(
            "lines__order_line"
        )

    def open(self):
        return self.filter(status__in=HandoverJob.UNFINISHED)

    def for_list(self):
        return self.select_related("order", "parcel__carrier").order_by(
            F("target_time").asc(nulls_first=True), "pk"
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


class HandoverLine(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(HandoverJob, on_delete=models.CASCADE, related_name="lines")
    order_line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="handover_lines")
    title = models.CharField(_("title"), max_length=500)
    quantity = models.PositiveIntegerField(_("units"))
    handed_over = models.PositiveIntegerField(_("handed over"), default=0)
    # [{"quantity", "reason", "comment"}]
    refused = models.JSONField(_("refused"), default=list, blank=True)

    class Meta:
        ordering = ["order_line__position"]
        constraints = [
            models.UniqueConstraint(fields=["job", "order_line"], name="handover_line_once"),
            models.CheckConstraint(condition=Q(handed_over__lte=F("quantity")), name="handover_line_units"),
        ]

    def __str__(self):
        return f"{self.quantity} × {self.title}"
