from functools import reduce
from operator import or_

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from fulfillment.core.ids import uuid7
from fulfillment.core.models import Article, Facility, Listing, Stock, StorageLocation
from fulfillment.core.models.base import LockingQuerySet, Stateful
from fulfillment.core.models.facility import ShortReason
from orders.models import Order, OrderLine
from routing.models import RoutingPlan, RoutingPlanLine


class PickJobQuerySet(LockingQuerySet):
    def at(self, facility):
        return self.filter(facility=facility)

    def open(self):
        return self.filter(status__in=PickJob.UNFINISHED)

    def preferring(self, *carriers):
        """Those whose order prefers one of these carriers, by their keys."""
        wish = "order__delivery_preferences__shipping__preferredCarriers__icontains"
        return self.filter(reduce(or_, (Q(**{wish: f'"{key}"'}) for key in carriers)))

    def for_list(self):
        """Most urgent first; jobs without a target time on top."""
        return self.select_related("order", "editor").order_by(F("target_time").asc(nulls_first=True), "pk")

    def for_api(self):
        return self.select_related("order", "editor").prefetch_related(
            "lines__order_line",
            "lines__article",
            "assigned_users",
        )


class PickJob(Stateful):
    """The part of an order that one facility picks."""

    class Status(models.TextChoices):
        OPEN = "OPEN", _("Open")
        IN_PROGRESS = "IN_PROGRESS", _("In progress")
        PAUSED = "PAUSED", _("Paused")
        PICKED = "PICKED", _("Picked")
        CLOSED = "CLOSED", _("Closed")
        ABORTED = "ABORTED", _("Aborted")
        REROUTED = "REROUTED", _("Re-routed")
        CANCELED = "CANCELED", _("Cancelled")
        OBSOLETE = "OBSOLETE", _("Obsolete")

    class SubStatus(models.TextChoices):
        NONE = "", "–"
        SHORT_PICKED = "SHORT_PICKED", _("Short")
        ZERO_PICKED = "ZERO_PICKED", _("Nothing picked")
        SHORT_PICK_REROUTE = "SHORT_PICK_REROUTE", _("Placed anew: units were missing")
        MANUAL_REROUTE = "MANUAL_REROUTE", _("Placed anew by hand")
        TIME_TRIGGERED = "TIME_TRIGGERED", _("Placed anew: nobody went on")
        STOCK_ZEROED = "STOCK_ZEROED", _("Placed anew: the stock is gone")
        FACILITY_OFFLINE = "PROCESS_REROUTE", _("Placed anew: the facility is offline")
        ORDER_MODIFIED = "ORDER_MODIFIED", _("Placed anew: the order was changed")

    class Priority(models.IntegerChoices):
        NORMAL = 0, _("Normal")
        HIGH = 1, _("High")
        URGENT = 2, _("Urgent")

    # Target time, then age; jobs without a target time on top.
    BY_URGENCY = [F("target_time").asc(nulls_first=True), "order_date"]
    UNFINISHED = ["OPEN", "IN_PROGRESS", "PAUSED", "PICKED"]
    BEGUN = ["IN_PROGRESS", "PAUSED", "PICKED", "CLOSED"]

    status = FSMField(_("status"), choices=Status.choices, default=Status.OPEN, protected=True)
    sub_status = models.CharField(
        _("detail"), max_length=30, choices=SubStatus.choices, default="", blank=True
    )
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="pick_jobs")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="pick_jobs")
    plan = models.OneToOneField(RoutingPlan, on_delete=models.PROTECT, related_name="pick_job")
    kind = models.CharField(_("kind"), max_length=8, choices=Order.Kind.choices)
    short_id = models.CharField(_("short id"), max_length=10)
    order_date = models.DateTimeField(_("ordered at"))
    target_time = models.DateTimeField(_("target time"), null=True)
    picking_methods = models.JSONField(_("picking methods"), default=list, blank=True)
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Priority.choices, default=Priority.NORMAL
    )
    # A held job is neither offered nor begun.
    is_held = models.BooleanField(_("held"), default=False)
    hold_reason = models.CharField(_("held because"), max_length=200, blank=True)
    editor = models.ForeignKey(
        "core.User",
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("picker"),
    )
    # Whom it is meant for; anybody may pick it all the same.
    assigned_users = models.ManyToManyField(
        "core.User", related_name="+", blank=True, verbose_name=_("assigned to")
    )
    started_at = models.DateTimeField(_("started at"), null=True)
    picked_at = models.DateTimeField(_("picked at"), null=True)
    closed_at = models.DateTimeField(_("closed at"), null=True)

    objects = PickJobQuerySet.as_manager()

    class Meta(Stateful.Meta):
        verbose_name = _("pick job")
        verbose_name_plural = _("pick jobs")
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "OPEN",
                        "IN_PROGRESS",
                        "PAUSED",
                        "PICKED",
                        "CLOSED",
                        "ABORTED",
                        "REROUTED",
                        "CANCELED",
                        "OBSOLETE",
                    ]
                ),
                name="pick_job_status",
            ),
            models.CheckConstraint(
                condition=Q(
                    sub_status__in=[
                        "",
                        "SHORT_PICKED",
                        "ZERO_PICKED",
                        "SHORT_PICK_REROUTE",
                        "MANUAL_REROUTE",
                        "TIME_TRIGGERED",
                        "STOCK_ZEROED",
                        "PROCESS_REROUTE",
                        "ORDER_MODIFIED",
                    ]
                ),
                name="pick_job_sub",
            ),
            models.CheckConstraint(condition=Q(kind__in=["SHIPPING", "COLLECT"]), name="pick_job_kind"),
            models.CheckConstraint(condition=Q(priority__in=[0, 1, 2]), name="pick_job_priority"),
            models.CheckConstraint(
                condition=~Q(status="CLOSED") | Q(closed_at__isnull=False),
                name="pick_job_closed_at",
            ),
            models.CheckConstraint(
                condition=~Q(status="IN_PROGRESS") | Q(started_at__isnull=False),
                name="pick_job_started_at",
            ),
        ]
        indexes = [models.Index(fields=["facility", "status", "target_time"], name="pick_job_list")]

    def __str__(self):
        return self.short_id

    @transition(field=status, source=[Status.OPEN, Status.PAUSED], target=Status.IN_PROGRESS)
    def start(self, picker, now):
        self.editor = picker
        self.started_at = self.started_at or now

    @transition(field=status, source=Status.IN_PROGRESS, target=Status.PAUSED)
    def pause(self):
        """Put it aside; its lines stay as they are."""

    @transition(field=status, source=Status.IN_PROGRESS, target=Status.PICKED)
    def finish_picking(self, now):
        """No line is open any more."""
        self.picked_at = now

    @transition(field=status, source=[Status.PICKED, Status.CLOSED], target=Status.IN_PROGRESS)
    def restart(self, picker):
        """Picking goes on after it had ended."""
        self.editor = picker
        self.picked_at = self.closed_at = None
        self.sub_status = self.SubStatus.NONE

    @transition(
        field=status,
        source=[Status.IN_PROGRESS, Status.PAUSED, Status.PICKED, Status.CLOSED],
        target=Status.OPEN,
    )
    def reset(self):
        """Everything begins again."""
        self.editor = None
        self.started_at = self.picked_at = self.closed_at = None
        self.sub_status = self.SubStatus.NONE

    @transition(field=status, source=Status.PICKED, target=Status.CLOSED)
    def close(self, sub_status, now):
        self.sub_status = sub_status
        self.closed_at = now

    @transition(field=status, source=[Status.IN_PROGRESS, Status.PICKED], target=Status.ABORTED)
    def close_empty(self):
        """Picking ended with nothing."""
        self.sub_status = self.SubStatus.ZERO_PICKED

    @transition(field=status, source=[Status.OPEN, Status.IN_PROGRESS, Status.PAUSED], target=Status.ABORTED)
    def abort(self):
        """The facility gives up."""

    @transition(
        field=status,
        source=[Status.OPEN, Status.IN_PROGRESS, Status.PAUSED, Status.PICKED],
        target=Status.CANCELED,
    )
    def cancel(self):
        """The order or the plan is no longer wanted."""

    @transition(
        field=status,
        source=[Status.OPEN, Status.IN_PROGRESS, Status.PAUSED, Status.PICKED],
        target=Status.OBSOLETE,
    )
    def make_obsolete(self):
        """Something else takes its place."""

    @transition(
        field=status,
        source=[Status.OPEN, Status.IN_PROGRESS, Status.PAUSED, Status.PICKED],
        target=Status.REROUTED,
    )
    def reroute(self, sub_status):
        """Its part of the order is placed anew."""
        self.sub_status = sub_status


LOOKED_AT = [
    *(
        f"article__{name}"
        for name in ("sku", "title", "titles", "records_lot", "records_expiry", "records_serial")
    ),
    *(f"article__{name}" for name in ("is_weighed", "weight_g", "weight_tolerance")),
    "order_line__sku",
    "order_line__scannable_codes",
    "listing__scannable_codes",
    "run__status",
]


class PickLineQuerySet(models.QuerySet):
    def pending(self):
        """Lines neither fully picked nor reported short."""
        return self.exclude(status=PickLine.Status.CLOSED)

    def for_scans(self):
        """With what a scan looks at, and no more: half of its time would go into columns that it does not need."""
        own = [field.name for field in PickLine._meta.concrete_fields]
        return self.select_related("article", "order_line", "listing", "run").only(*own, *LOOKED_AT)


class PickLine(models.Model):
    class Status(models.TextChoices):
        OPEN = "OPEN", _("Open")
        IN_PROGRESS = "IN_PROGRESS", _("In progress")
        CLOSED = "CLOSED", _("Done")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(PickJob, on_delete=models.CASCADE, related_name="lines")
    plan_line = models.ForeignKey(RoutingPlanLine, on_delete=models.PROTECT, related_name="pick_lines")
    # Units of another article, instead of those of this line: they left it, and are picked like any others.
    replaces = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, related_name="substitutes", verbose_name=_("replaces")
    )
    # Units of the same article, kept apart from those of this line by the wish of a program.
    split_from = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, related_name="splits", verbose_name=_("split from")
    )
    order_line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="pick_lines")
    article = models.ForeignKey(Article, on_delete=models.PROTECT, related_name="+")
    listing = models.ForeignKey(Listing, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(_("title"), max_length=500)
    # Place in the walk, see ``picking.floor``.
    sequence = models.PositiveIntegerField(default=0)
    quantity = models.PositiveIntegerField(_("ordered"))
    picked = models.PositiveIntegerField(_("picked"), default=0)
    short = models.PositiveIntegerField(_("missing"), default=0)
    # A line is a Stateful's detail, changed only under its job's lock; its state follows from picked and short.
    status = models.CharField(_("state"), max_length=11, choices=Status.choices, default=Status.OPEN)
    # The run in which it is picked, and afterwards that in which it was. A line is never in two.
    run = models.ForeignKey("picking.PickRun", on_delete=models.PROTECT, null=True, related_name="lines")
    short_reason = models.CharField(_("reason"), max_length=20, choices=ShortReason.choices, blank=True)
    # What the scan rules ask for: the place whose scan opened the line, and whether its article was scanned.
    place = models.ForeignKey(StorageLocation, on_delete=models.SET_NULL, null=True, related_name="+")
    is_scanned = models.BooleanField(default=False)
    # See ``picking.recordables``.
    recordables = models.JSONField(_("recorded"), default=list, blank=True, encoder=DjangoJSONEncoder)
    # With a short pick: what the picker counted, and where. The stock follows when the job is closed.
    left = models.PositiveIntegerField(_("units left"), null=True)
    left_at = models.ForeignKey(Stock, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = PickLineQuerySet.as_manager()

    class Meta:
        ordering = ["sequence", "order_line__position", "pk"]
        verbose_name = _("pick line")
        verbose_name_plural = _("pick lines")
        constraints = [
            models.UniqueConstraint(
                fields=["plan_line"],
                condition=Q(replaces=None, split_from=None),
                name="pick_line_of_plan_line",
            ),
            models.UniqueConstraint(fields=["replaces", "article"], name="pick_line_substitute_once"),
            models.CheckConstraint(
                condition=Q(status__in=["OPEN", "IN_PROGRESS", "CLOSED"]),
                name="pick_line_status",
            ),
            models.CheckConstraint(
                condition=Q(short_reason__in=["", "NOT_FOUND", "DAMAGED", "EXPIRED", "OTHER"]),
                name="pick_line_reason",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=F("picked") + F("short")),
                name="pick_line_units",
            ),
            models.CheckConstraint(
                condition=~Q(status="CLOSED") | Q(quantity=F("picked") + F("short")),
                name="pick_line_closed",
            ),
        ]

    def __str__(self):
        return f"{self.picked}/{self.quantity} {self.title}"

    @property
    def open_units(self):
        return self.quantity - self.picked - self.short

    @property
    def shown_title(self):
        """As the staff call the article, in their language; a substitute as the facility calls it."""
        return (
            self.title if self.replaces_id and self.title != self.article.title else self.article.local_title
        )

    @property
    def shop_title(self):
        """As the shop calls it, when that is another title."""
        return "" if self.replaces_id or self.title == self.shown_title else self.title

    @property
    def sku(self):
        """Of what is picked: the shop's own, or that of the substitute."""
        return self.article.sku if self.replaces_id else self.order_line.sku

    def count(self, picked, short, reason):
        """Set the figures; the state follows from them."""
        self.picked, self.short, self.short_reason = picked, short, reason if short else ""
        if not short:
            self.left, self.left_at = None, None
        if not picked:
            self.place, self.is_scanned = None, False
        if not self.open_units:
            self.status = self.Status.CLOSED
        else:
            self.status = self.Status.IN_PROGRESS if picked or short else self.Status.OPEN


class Allocation(models.Model):
    """From which stock row a line is to be taken (and how much was), in the order of the walk."""

    line = models.ForeignKey(PickLine, on_delete=models.CASCADE, related_name="allocations")
    stock = models.ForeignKey(Stock, on_delete=models.PROTECT, related_name="allocations")
    quantity = models.PositiveIntegerField()

    class Meta:
        ordering = ["stock__location__running_sequence", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["line", "stock"], name="allocation_once"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="allocation_quantity"),
        ]

    def __str__(self):
        return f"{self.quantity} × {self.stock}"


class ShortIdCounter(models.Model):
    """The last number given per facility and initials; 1 to 99, then again from 1."""

    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="+")
    initials = models.CharField(max_length=2)
    number = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["facility", "initials"], name="short_id_counter_once")]

    def __str__(self):
        return f"{self.initials}{self.number}"
