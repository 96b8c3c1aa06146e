"""The parts of orders, and the units held for them."""

from django.db import models
from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django_fsm import FSMField, transition

from fulfillment.core.models import Facility, Listing
from fulfillment.core.models.base import LockingQuerySet, Stateful
from orders.models import Order, OrderLine


class RoutingPlan(Stateful):
    """One part of an order at one facility, or (without facility) the part that could not be placed yet."""

    class Status(models.TextChoices):
        INITIAL = "INITIAL", _("New")
        ROUTING = "ROUTING", _("Routing")
        ROUTED = "ROUTED", _("Routed")
        WAITING = "WAITING", _("Waiting for stock")
        RETRYABLE = "RETRYABLE", _("Cannot be placed yet")
        NOT_ROUTABLE = "NOT_ROUTABLE", _("Cannot be placed")
        FALLBACK_ROUTING = "FALLBACK_ROUTING", _("Fallback")
        REROUTED = "REROUTED", _("Re-routed")
        OBSOLETE = "OBSOLETE", _("Obsolete")
        CANCELED = "CANCELED", _("Cancelled")
        LOCKED = "LOCKED", _("Locked")
        PROMISED = "PROMISED", _("Promised")

    OPEN = ["INITIAL", "ROUTING", "WAITING", "RETRYABLE", "FALLBACK_ROUTING"]
    PLACED = ["ROUTED", "LOCKED", "PROMISED"]
    TRIED_AGAIN = ["WAITING", "RETRYABLE"]
    CANCELLABLE = [*OPEN, "ROUTED", "NOT_ROUTABLE", "LOCKED", "PROMISED"]

    class Reason(models.TextChoices):
        """Why a part has no facility."""

        UNKNOWN_ARTICLE = "UNKNOWN_ARTICLE", _("No article has the SKU of a line.")
        FACILITY_CLOSED = "FACILITY_CLOSED", _("The facility the shop chose takes no new orders.")
        NO_FACILITY = "NO_FACILITY", _("No facility takes new orders.")
        FENCED_OUT = "FENCED_OUT", _("Every facility misses a fence.")
        NO_STOCK = "NO_STOCK", _("No facility that may serve it has a unit in stock.")
        NOT_ENOUGH_STOCK = "NOT_ENOUGH_STOCK", _("The facilities that may serve it do not have all units.")
        ORDER_MODIFIED = "ORDER_MODIFIED", _("The order was changed and is placed anew.")
        SHORT_PICK = "SHORT_PICK", _("Picking did not find these units; another facility is looked for.")
        PICK_JOB_ABORTED = "PICK_JOB_ABORTED", _("The job was given up; another facility is looked for.")
        FACILITY_OFFLINE = "FACILITY_OFFLINE", _("The facility went offline; another one is looked for.")
        TIME_TRIGGERED = "TIME_TRIGGERED", _("Nobody began in time; another facility is looked for.")
        STOCK_ZEROED = "STOCK_ZEROED", _("The stock is gone; another facility is looked for.")
        MANUAL_REROUTE = "MANUAL_REROUTE", _("Somebody asked for another facility.")

    status = FSMField(_("status"), choices=Status.choices, default=Status.INITIAL, protected=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="routing_plans")
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, null=True, related_name="routing_plans")
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="children")
    predecessor = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="successors")
    run = models.PositiveIntegerField(_("run"), default=0)
    split_count = models.PositiveSmallIntegerField(_("splits"), default=0)
    blacklist = models.JSONField(_("excluded facilities"), default=list, blank=True)
    reason = models.CharField(_("reason"), max_length=40, blank=True)
    reroute_reason = models.CharField(_("reason of the re-route"), max_length=40, blank=True)
    routed_at = models.DateTimeField(_("routed at"), null=True)
    retried_at = models.DateTimeField(_("last tried at"), null=True)

    class Meta(Stateful.Meta):
        verbose_name = _("routing plan")
        verbose_name_plural = _("routing plans")
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "INITIAL",
                        "ROUTING",
                        "ROUTED",
                        "WAITING",
                        "RETRYABLE",
                        "NOT_ROUTABLE",
                        "FALLBACK_ROUTING",
                        "REROUTED",
                        "OBSOLETE",
                        "CANCELED",
                        "LOCKED",
                        "PROMISED",
                    ]
                ),
                name="plan_status",
            ),
            models.CheckConstraint(
                condition=~Q(status="ROUTED") | Q(facility__isnull=False, routed_at__isnull=False),
                name="plan_routed",
            ),
        ]
        indexes = [models.Index(fields=["status", "facility"], name="plan_status_facility")]

    def __str__(self):
        return f"{self.order} → {self.facility or '?'}"

    @transition(
        field=status,
        source=[
            Status.INITIAL,
            Status.ROUTING,
            Status.RETRYABLE,
            Status.WAITING,
            Status.NOT_ROUTABLE,
            Status.FALLBACK_ROUTING,
        ],
        target=Status.ROUTED,
    )
    def settle(self, facility, now):
        self.facility, self.routed_at, self.reason = facility, now, ""

    @property
    def reason_text(self):
        """Why it has no facility. Reads its lines where their articles are not known."""
        skus = ()
        if self.reason == self.Reason.UNKNOWN_ARTICLE:
            skus = [line.order_line.sku for line in self.lines.all() if line.order_line.article_id is None]
        return self.words_of(self.reason, skus)

    @classmethod
    def words_of(cls, reason, unknown_skus):
        """A reason in words, with the SKUs of which there is no article; one that is no code keeps its words."""
        if reason == cls.Reason.UNKNOWN_ARTICLE and unknown_skus:
            skus = list(dict.fromkeys(unknown_skus))
            return ngettext(
                "No article has the SKU %(skus)s.", "No article has one of the SKUs %(skus)s.", len(skus)
            ) % {"skus": ", ".join(skus)}
        return str(cls.Reason(reason).label) if reason in cls.Reason.values else reason

    @transition(field=status, source=Status.ROUTED, target=Status.LOCKED)
    def hold(self):
        """The order is held: reserved, but not picked yet."""

    @transition(field=status, source=[Status.LOCKED, Status.PROMISED], target=Status.ROUTED)
    def unhold(self):
        """The order was unlocked."""

    @transition(
        field=status,
        source=[Status.INITIAL, Status.ROUTING, Status.WAITING, Status.RETRYABLE, Status.NOT_ROUTABLE],
        target=Status.RETRYABLE,
    )
    def postpone(self, reason, now):
        self.reason, self.retried_at = reason, now

    @transition(
        field=status,
        source=[Status.INITIAL, Status.ROUTING, Status.WAITING, Status.RETRYABLE, Status.NOT_ROUTABLE],
        target=Status.WAITING,
    )
    def wait(self, reason, now):
        """What is missing is sold ahead: it comes, and nobody gives up."""
        self.reason, self.retried_at = reason, now

    @transition(field=status, source=[Status.RETRYABLE], target=Status.NOT_ROUTABLE)
    def give_up(self):
        """No more automatic attempts; a person decides."""

    @transition(
        field=status,
        source=[
            Status.INITIAL,
            Status.ROUTING,
            Status.ROUTED,
            Status.WAITING,
            Status.RETRYABLE,
            Status.NOT_ROUTABLE,
            Status.FALLBACK_ROUTING,
            Status.LOCKED,
            Status.PROMISED,
        ],
        target=Status.CANCELED,
    )
    def cancel(self):
        """Nothing of this part will be delivered by this plan."""

    @transition(
        field=status,
        source=[
            Status.INITIAL,
            Status.ROUTING,
            Status.ROUTED,
            Status.WAITING,
            Status.RETRYABLE,
            Status.NOT_ROUTABLE,
            Status.FALLBACK_ROUTING,
            Status.LOCKED,
            Status.PROMISED,
        ],
        target=Status.REROUTED,
    )
    def replace(self, reason):
        """Another plan takes its place."""
        self.reroute_reason = reason


class RoutingPlanLine(models.Model):
    plan = models.ForeignKey(RoutingPlan, on_delete=models.CASCADE, related_name="lines")
    order_line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="plan_lines")
    quantity = models.PositiveIntegerField(_("quantity"))
    # Units that picking has dealt with (picked or short); the rest is the facility's workload.
    done = models.PositiveIntegerField(_("done"), default=0)

    class Meta:
        ordering = ["order_line__position"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "order_line"], name="plan_line_once"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="plan_line_quantity"),
            models.CheckConstraint(condition=Q(done__lte=models.F("quantity")), name="plan_line_done"),
        ]
        indexes = [
            # The workload of all facilities is read for every order; what is done must not slow that down.
            models.Index(fields=["plan"], condition=Q(done__lt=models.F("quantity")), name="plan_line_open")
        ]

    def __str__(self):
        return f"{self.quantity} × {self.order_line.sku}"


class ReservationQuerySet(LockingQuerySet):
    def units(self):
        return self.aggregate(units=Sum("quantity"))["units"] or 0


class Reservation(models.Model):
    """Units of a listing held for a plan line. The row exists as long as it holds stock."""

    plan_line = models.ForeignKey(RoutingPlanLine, on_delete=models.CASCADE, related_name="reservations")
    listing = models.ForeignKey(Listing, on_delete=models.PROTECT, related_name="reservations")
    quantity = models.PositiveIntegerField(_("units"))
    created_at = models.DateTimeField(default=timezone.now)

    objects = ReservationQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["plan_line", "listing"], name="reservation_once"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="reservation_quantity"),
        ]
        verbose_name = _("reservation")
        verbose_name_plural = _("reservations")

    def __str__(self):
        return f"{self.quantity} × {self.listing}"
