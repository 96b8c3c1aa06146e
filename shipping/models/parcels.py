from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from fulfillment.core.models import Carrier, Document, Facility
from fulfillment.core.models.base import Stateful
from orders.models import Order
from packing.models import Package
from picking.models import LoadUnit

from .base import FacilityQuerySet
from .shipments import Shipment


class TrackingStatus(models.TextChoices):
    """Where a parcel is on its way, in the words of the wire format."""

    REGISTERED = "registered", _("Announced")
    PICKED_UP = "picked_up", _("Picked up")
    TRANSIT = "transit", _("On its way")
    OUT_FOR_DELIVERY = "out_for_delivery", _("Out for delivery")
    DELIVERED = "delivered", _("Delivered")
    NOT_DELIVERED = "not_delivered", _("Not delivered")
    DELAYED = "delayed", _("Delayed")
    EXCEPTION = "exception", _("Problem on the way")
    AWAITS_PICKUP = "awaits_pickup_by_receiver", _("Waits to be picked up")
    CANCELED = "canceled", _("Cancelled")
    DESTROYED = "destroyed", _("Destroyed")
    UNKNOWN = "unknown", _("Not known")

    @classmethod
    def with_the_carrier(cls):
        """These say that the carrier got the parcel."""
        return [
            cls.PICKED_UP,
            cls.TRANSIT,
            cls.OUT_FOR_DELIVERY,
            cls.DELIVERED,
            cls.NOT_DELIVERED,
            cls.AWAITS_PICKUP,
        ]

    @classmethod
    def final(cls):
        """After these a parcel does not move any more."""
        return [cls.DELIVERED, cls.CANCELED, cls.DESTROYED]


class ParcelQuerySet(FacilityQuerySet):
    def live(self):
        """Without those that were given up."""
        return self.exclude(status__in=Parcel.GIVEN_UP)

    def needing_a_person(self):
        return self.filter(status__in=Parcel.NEEDS_PERSON)

    def for_api(self):
        return self.select_related("order", "shipment", "carrier", "facility").prefetch_related(
            "package__items__line__order_line", "package__items__line__article", "load_units"
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

    GIVEN_UP = ["CANCELED", "OBSOLETE"]
    NEEDS_PERSON = ["FAILED", "WAITING_FOR_INPUT"]

    status = FSMField(_("status"), choices=Status.choices, default=Status.OPEN, protected=True)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="parcels")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="parcels")
    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="parcels")
    # One at a time: when its label was cancelled, the package becomes another parcel.
    package = models.ForeignKey(Package, on_delete=models.PROTECT, related_name="parcels")
    # Totes or boxes in which it waits.
    load_units = models.ManyToManyField(
        LoadUnit, related_name="parcels", blank=True, verbose_name=_("totes and boxes")
    )
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="parcels")
    product = models.CharField(_("product of the carrier"), max_length=60, blank=True)
    code = models.CharField(_("code"), max_length=30, unique=True)
    weight_g = models.PositiveIntegerField(_("weight (g)"))
    length_mm = models.PositiveIntegerField(_("length (mm)"))
    width_mm = models.PositiveIntegerField(_("width (mm)"))
    height_mm = models.PositiveIntegerField(_("height (mm)"))
    tracking_number = models.CharField(_("tracking number"), max_length=120, blank=True, db_index=True)
    tracking_url = models.URLField(_("tracking page"), max_length=500, blank=True)
    return_tracking_number = models.CharField(_("return tracking number"), max_length=120, blank=True)
    # Who sends it and who gets it back, as fields of a ``Contact``, where that is not the facility.
    sender = models.JSONField(_("sender"), default=dict, blank=True)
    return_address = models.JSONField(_("return address"), default=dict, blank=True)
    # What the carrier calls the booking, where that is not the tracking number.
    carrier_reference = models.CharField(_("reference of the carrier"), max_length=120, blank=True)
    # What a scanner reads off the label; on carrier labels this differs from the tracking number.
    scan_codes = models.JSONField(_("codes on the label"), default=list)
    label = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    return_label = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    customs_document = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    # The daily closing at the carrier: after it a parcel can no longer be cancelled there.
    manifested_at = models.DateTimeField(_("closed at the carrier"), null=True)
    tracking_status = models.CharField(
        _("on its way"), max_length=30, choices=TrackingStatus.choices, blank=True
    )
    tracked_at = models.DateTimeField(_("asked for"), null=True)
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
            models.CheckConstraint(
                condition=Q(tracking_status__in=["", *TrackingStatus.values]), name="parcel_tracking_status"
            ),
            models.UniqueConstraint(
                fields=["package"],
                condition=~Q(status__in=["CANCELED", "OBSOLETE"]),
                name="parcel_package_once",
            ),
        ]
        indexes = [
            # What the poll of the tracking looks for.
            models.Index(fields=["tracked_at"], condition=Q(status="DONE"), name="parcel_in_flight")
        ]

    def __str__(self):
        return self.code

    @property
    def shown_number(self):
        """What people call it: the number on its label, our code while it has none."""
        return self.tracking_number or self.code

    @property
    def is_cancellable(self):
        """Whether its label may be given up, as far as the parcel itself tells."""
        return self.status in {"OPEN", "FAILED", "WAITING_FOR_INPUT"} or (
            self.status == "DONE" and self.manifested_at is None
        )

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
    def done(self, booking, papers):
        """The carrier booked it, be it that its answer came late."""
        self._take(booking, papers)

    def _take(self, booking, papers):
        self.tracking_number, self.tracking_url = booking.number, booking.tracking_url
        self.return_tracking_number, self.problem = booking.return_number, {}
        self.scan_codes, self.warnings = list(booking.scan_codes), list(booking.warnings)
        self.carrier_reference = booking.carrier_reference
        # Papers that were brought before stay when the booking has none of its own.
        self.label = papers.get("label", self.label)
        self.return_label = papers.get("return_label", self.return_label)
        self.customs_document = papers.get("customs", self.customs_document)

    @transition(
        field=status,
        source=[Status.OPEN, Status.FAILED, Status.WAITING_FOR_INPUT],
        target=Status.DONE,
    )
    def enter_number(self, booking, papers):
        """A person or another program booked at the carrier and brings its number."""
        self._take(booking, papers)

    @transition(field=status, source=[Status.FAILED, Status.WAITING_FOR_INPUT], target=Status.OPEN)
    def request_again(self):
        """A person corrected what was wrong, or decided that nothing was booked."""
        self.problem = {}
        self.label = self.return_label = self.customs_document = None
        self.tracking_number = self.tracking_url = self.return_tracking_number = ""

    @transition(
        field=status,
        source=[Status.PROCESSING, Status.OPEN, Status.WAITING_FOR_INPUT],
        target=Status.FAILED,
    )
    def fail(self, problem):
        """The carrier, or the program that books there for us, refused it."""
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


class ParcelCode(models.Model):
    """A code that a scanner reads off the label of a parcel."""

    parcel = models.ForeignKey(Parcel, on_delete=models.CASCADE, related_name="codes")
    code = models.CharField(_("code"), max_length=200, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["parcel", "code"], name="parcel_code_once")]

    def __str__(self):
        return self.code


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
    # When the carrier took the booking back.
    cancelled_at = models.DateTimeField(null=True)

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
