from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from fulfillment.core.models import Facility, Listing
from fulfillment.core.models.base import LockingQuerySet, Stateful
from fulfillment.core.models.facility import validate_time_zone
from orders.models import Order, OrderLine
from routing.rules import MOST_LEVELS, BadRule, check_changes, read_condition, read_rule


class RoutingConfiguration(models.Model):
    """The draft that staff edit: one row. Nothing routes by it until it is published as a revision."""

    class Partial(models.TextChoices):
        WAIT = "WAIT", _("Wait for the whole order")
        ROUTE = "ROUTE", _("Route what is there")

    class Missing(models.TextChoices):
        NONE = "NONE", _("Tell the shop that they will not come")
        SPLIT = "SPLIT", _("Look for another facility")

    class SplitMode(models.TextChoices):
        EXACT = "EXACT", _("Exact")
        GREEDY = "GREEDY", _("Step by step")

    is_split_active = models.BooleanField(_("split orders"), default=True)
    max_split_count = models.PositiveSmallIntegerField(
        _("most splits"),
        default=2,
        help_text=_("1 allows two parts."),
        validators=[MaxValueValidator(20)],
    )
    partly_reservable = models.CharField(
        _("when only a part is in stock"),
        max_length=5,
        choices=Partial.choices,
        default=Partial.WAIT,
    )
    split_mode = models.CharField(
        _("how to split"),
        max_length=6,
        choices=SplitMode.choices,
        default=SplitMode.EXACT,
        help_text=_("Exact: fewest units left, then fewest parcels, then most points."),
    )
    least_units = models.PositiveSmallIntegerField(
        _("least units per parcel"),
        default=1,
        help_text=_("Of a split order."),
        validators=[MinValueValidator(1)],
    )
    split_sameday = models.BooleanField(_("split same-day orders"), default=False)
    time_zone = models.CharField(
        _("time zone"),
        max_length=50,
        default="Europe/Berlin",
        validators=[validate_time_zone],
        help_text=_("Of weekday and time in conditions."),
    )
    stop_after_hours = models.PositiveSmallIntegerField(
        _("stop trying after (hours)"), default=8, validators=[MinValueValidator(1)]
    )
    missing_units = models.CharField(
        _("units that picking does not find"),
        max_length=5,
        choices=Missing.choices,
        default=Missing.NONE,
        help_text=_("Of shipped orders: after a short pick, and when a job is given up."),
    )
    reroute_after_minutes = models.PositiveIntegerField(
        _("move what nobody begins after (minutes)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(5)],
        help_text=_("Empty: never."),
    )
    reroute_within_hours = models.PositiveSmallIntegerField(
        _("only when due within (hours)"), default=48, validators=[MinValueValidator(1)]
    )
    reroute_offline = models.BooleanField(_("move the work of a facility that goes offline"), default=True)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("routing configuration")
        verbose_name_plural = _("routing configuration")
        constraints = [
            models.CheckConstraint(
                condition=Q(partly_reservable__in=["WAIT", "ROUTE"]),
                name="routing_partly_reservable",
            ),
            models.CheckConstraint(
                condition=Q(split_mode__in=["EXACT", "GREEDY"]), name="routing_split_mode"
            ),
            models.CheckConstraint(
                condition=Q(missing_units__in=["NONE", "SPLIT"]), name="routing_missing_units"
            ),
        ]

    def __str__(self):
        return str(_("Routing draft"))


class RuleSetting(models.Model):
    """A fence or rating of the draft. One that is there several times has a name and a rule of its own."""

    key = models.CharField(_("criterion"), max_length=40)
    name = models.SlugField(_("name"), max_length=40, blank=True)
    rule = models.JSONField(_("own rule"), null=True, blank=True)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        abstract = True

    def __str__(self):
        return self.use

    @property
    def use(self):
        """How revisions and decisions name it: ``COUNTRY``, ``CUSTOM.organic``."""
        return f"{self.key}.{self.name}" if self.name else self.key

    def clean(self):
        if self.name and not self.rule:
            raise ValidationError({"rule": _("Say what the rule asks.")})
        if self.rule:
            try:
                read_rule(self.rule)
            except BadRule as error:
                raise ValidationError({"rule": str(error)}) from error


class FenceSetting(RuleSetting):
    configuration = models.ForeignKey(RoutingConfiguration, on_delete=models.CASCADE, related_name="fences")

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["configuration", "key", "name"], name="fence_once")]
        verbose_name = _("fence")
        verbose_name_plural = _("fences")


class RatingSetting(RuleSetting):
    configuration = models.ForeignKey(RoutingConfiguration, on_delete=models.CASCADE, related_name="ratings")
    weight = models.DecimalField(
        _("weight"),
        max_digits=4,
        decimal_places=2,
        default=1,
        validators=[MinValueValidator(0), MaxValueValidator(10)],
        help_text=_("Most points this rating can give, 0 to 10."),
    )
    best = models.FloatField(
        _("best at"),
        null=True,
        blank=True,
        help_text=_("With both ends given, points do not depend on the other facilities."),
    )
    worst = models.FloatField(_("worst at"), null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["configuration", "key", "name"], name="rating_once"),
            models.CheckConstraint(condition=Q(weight__gte=0, weight__lte=10), name="rating_weight"),
            models.CheckConstraint(
                condition=Q(best=None, worst=None)
                | (Q(best__isnull=False, worst__isnull=False) & ~Q(best=models.F("worst"))),
                name="rating_ends",
                violation_error_message=_("Give two different ends, or none."),
            ),
        ]
        verbose_name = _("rating")
        verbose_name_plural = _("ratings")


class StrategyNode(models.Model):
    """Orders that meet the condition are routed by changed settings; everything not named is inherited."""

    configuration = models.ForeignKey(RoutingConfiguration, on_delete=models.CASCADE, related_name="nodes")
    parent = models.ForeignKey(
        "self",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="nodes",
        verbose_name=_("below"),
        help_text=_("None: below the root."),
    )
    position = models.PositiveSmallIntegerField(
        _("position"), default=1, help_text=_("The first condition that holds decides.")
    )
    name = models.CharField(_("name"), max_length=60)
    condition = models.JSONField(
        _("condition"),
        help_text=_(
            'For example {"predicates": [{"entity": "ORDER", "path": "channel", "operator": "EQUALS", '
            '"value": "web"}]}'
        ),
    )
    changes = models.JSONField(
        _("changes"),
        default=dict,
        blank=True,
        help_text=_(
            'For example {"weights": {"GEODISTANCE": 5}, "fences": {"COUNTRY": false}, "split": {"max_count": 1}}'
        ),
    )

    class Meta:
        ordering = ["position", "pk"]
        verbose_name = _("strategy node")
        verbose_name_plural = _("strategy nodes")

    def __str__(self):
        return self.name

    def clean(self):
        try:
            read_condition(self.condition)
        except BadRule as error:
            raise ValidationError({"condition": str(error)}) from error
        try:
            check_changes(self.changes)
        except BadRule as error:
            raise ValidationError({"changes": str(error)}) from error
        above, levels = self.parent, 1
        while above is not None:
            levels += 1
            if above.pk == self.pk or levels > MOST_LEVELS:
                raise ValidationError(
                    {"parent": _("A node cannot be below itself, nor deeper than ten levels.")}
                )
            above = above.parent


class RoutingRevision(models.Model):
    """A published configuration: numbered, never changed. Decisions name it."""

    number = models.PositiveIntegerField(_("number"), primary_key=True)
    # {"fences": [use], "ratings": [{"key": use, "weight", "scale": [best, worst]}], "rules": {use: own rule},
    #  "split": {...}, "partly_reservable", "stop_after_hours", "time_zone", "nodes": [{"name", "condition", "changes",
    #  "nodes"}]}
    data = models.JSONField(_("configuration"), encoder=DjangoJSONEncoder)
    comment = models.CharField(_("comment"), max_length=200, blank=True)
    published_at = models.DateTimeField(_("published at"), default=timezone.now)
    published_by = models.ForeignKey(
        "core.User",
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("published by"),
    )

    class Meta:
        ordering = ["-number"]
        verbose_name = _("published revision")
        verbose_name_plural = _("published revisions")

    def __str__(self):
        return str(_("Revision %(number)s") % {"number": self.number})


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
        return self.Reason(self.reason).label if self.reason in self.Reason.values else self.reason

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


class RoutingTrial(models.Model):
    """The draft, tried on the last decisions beside the revision in use. Nothing of an order is written."""

    revision = models.ForeignKey(RoutingRevision, on_delete=models.PROTECT, related_name="+")
    data = models.JSONField(encoder=DjangoJSONEncoder)  # of the draft, as of ``RoutingRevision``
    newest = models.BigIntegerField()  # the last decision there was
    last = models.BigIntegerField(default=0)  # the one that was looked at last, going back
    total = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    changed_count = models.PositiveIntegerField(default=0)
    result = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(_("asked at"), default=timezone.now)
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("trial of a draft")
        verbose_name_plural = _("trials of drafts")

    def __str__(self):
        return str(_("Trial %(number)s") % {"number": self.pk})


class NetworkSnapshot(models.Model):
    """The facilities as the rules saw them, kept once per change of the network. Written by ``routing.situations``."""

    digest = models.CharField(max_length=64, primary_key=True)
    data = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("network snapshot")
        verbose_name_plural = _("network snapshots")

    def __str__(self):
        return self.digest[:12]


class DecisionLog(models.Model):
    """Why a routing run ended as it did: all that went into it, so that every number can be worked out again."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="decisions")
    run = models.PositiveIntegerField(_("run"))
    revision = models.ForeignKey(
        RoutingRevision, on_delete=models.PROTECT, null=True, related_name="decisions"
    )
    snapshot = models.ForeignKey(
        NetworkSnapshot, on_delete=models.PROTECT, db_index=False, related_name="+", editable=False
    )
    outcome = models.CharField(_("outcome"), max_length=40)
    seed = models.BigIntegerField(_("seed"))
    # {"demand", "place_source", "fixed", "path", "parts", "remainder", "looked_at", "is_proven"}
    data = models.JSONField(_("numbers"), encoder=DjangoJSONEncoder)
    # The figures of every facility, see ``routing.decisions``.
    figures = models.BinaryField()
    duration_ms = models.FloatField(_("duration (ms)"))
    at = models.DateTimeField(_("at"))

    class Meta:
        ordering = ["order", "run"]
        constraints = [models.UniqueConstraint(fields=["order", "run"], name="decision_run_once")]
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")

    def __str__(self):
        return f"{self.order} #{self.run}"


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
