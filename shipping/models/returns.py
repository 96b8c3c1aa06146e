"""Goods that come back: what of an order may be returned, the returns of it, and the single units in them."""

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from fulfillment.core.ids import uuid7
from fulfillment.core.models import Article, Facility
from fulfillment.core.models.base import LockingQuerySet, Stateful
from orders.models import Order, OrderLine

from .base import FacilityQuerySet
from .handovers import HandoverJob


class Wording(models.Model):
    """Something that is chosen by name, in the languages of the screens."""

    key = models.SlugField(_("key"), unique=True)
    name = models.CharField(_("name"), max_length=60)
    name_de = models.CharField(_("name in German"), max_length=60, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=1)
    is_active = models.BooleanField(_("in use"), default=True)

    class Meta:
        abstract = True
        ordering = ["position", "key"]

    def __str__(self):
        return self.name_de if self.name_de and (get_language() or "").startswith("de") else self.name

    @property
    def names(self):
        """``{locale: name}`` as the wire format has it."""
        return {"en_US": self.name} | ({"de_DE": self.name_de} if self.name_de else {})


class ReturnReason(Wording):
    """Why customers return something."""

    class Meta(Wording.Meta):
        verbose_name = _("reason of a return")
        verbose_name_plural = _("reasons of returns")


class ReturnCondition(Wording):
    """How goods come back, and what becomes of them then, unless somebody decides otherwise."""

    class Outcome(models.TextChoices):
        STOCK = "STOCK", _("Accepted, back into the stock")
        DEFECTIVE = "DEFECTIVE", _("Accepted, to the defective stock")
        REJECT = "REJECT", _("Rejected, back to the customer")

    outcome = models.CharField(_("what becomes of the goods"), max_length=9, choices=Outcome.choices)
    refund_percent = models.PositiveSmallIntegerField(
        _("refund (%)"), default=100, validators=[MaxValueValidator(100)]
    )

    class Meta(Wording.Meta):
        verbose_name = _("condition of returned goods")
        verbose_name_plural = _("conditions of returned goods")
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=["STOCK", "DEFECTIVE", "REJECT"]), name="return_condition_outcome"
            ),
            models.CheckConstraint(condition=Q(refund_percent__lte=100), name="return_condition_refund"),
        ]


class ReturnJobQuerySet(LockingQuerySet):
    def at_any(self, facility_ids):
        """Those of orders that one of the facilities handed over, or got something back of."""
        handed_over = HandoverJob.objects.filter(
            order=OuterRef("order"), facility__in=facility_ids, status=HandoverJob.Status.HANDED_OVER
        )
        came_back = ItemReturn.objects.filter(job=OuterRef("pk"), facility__in=facility_ids)
        return self.filter(Exists(handed_over) | Exists(came_back))

    def for_api(self):
        return self.select_related("order").prefetch_related(
            "lines__article",
            "lines__order_line",
            "order__handover_jobs",
            "order__shipments__parcels",
            *(f"item_returns__{path}" for path in ITEMS),
        )


class ReturnJob(Stateful):
    """What was handed over of an order and may come back. One per order, from its first handover on."""

    class Status(models.TextChoices):
        OPEN = "OPEN", _("Open")
        IN_PROGRESS = "IN_PROGRESS", _("In progress")
        FINISHED = "FINISHED", _("Finished")
        CANCELED = "CANCELED", _("Cancelled")

    CLOSED = ["FINISHED", "CANCELED"]  # nothing of it comes back any more

    status = FSMField(_("status"), choices=Status.choices, default=Status.OPEN, protected=True)
    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="return_job")
    # The one that handed over first; further ones are found by their handovers.
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="return_jobs")
    short_id = models.CharField(_("short id"), max_length=10)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    objects = ReturnJobQuerySet.as_manager()

    class Meta(Stateful.Meta):
        verbose_name = _("return job")
        verbose_name_plural = _("return jobs")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["OPEN", "IN_PROGRESS", "FINISHED", "CANCELED"]),
                name="return_job_status",
            ),
            models.CheckConstraint(
                condition=Q(status="FINISHED", finished_at__isnull=False)
                | ~Q(status="FINISHED") & Q(finished_at=None),
                name="return_job_finished_at",
            ),
        ]

    def __str__(self):
        return self.short_id

    @transition(field=status, source=Status.OPEN, target=Status.IN_PROGRESS)
    def start(self):
        """Something of it is announced or came back."""

    @transition(field=status, source=[Status.OPEN, Status.IN_PROGRESS], target=Status.FINISHED)
    def finish(self, now):
        self.finished_at = now

    @transition(field=status, source=Status.FINISHED, target=Status.IN_PROGRESS)
    def restart(self):
        """More of it may come back after all."""
        self.finished_at = None

    @transition(
        field=status, source=[Status.OPEN, Status.IN_PROGRESS, Status.FINISHED], target=Status.CANCELED
    )
    def cancel(self):
        """Its handovers were taken back: nothing is out of the house."""
        self.finished_at = None

    @transition(field=status, source=Status.CANCELED, target=Status.OPEN)
    def renew(self):
        """It was handed over again."""


class ReturnJobLine(models.Model):
    """Units of an article of an order line that left the house, and how many of them are back."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(ReturnJob, on_delete=models.CASCADE, related_name="lines")
    order_line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="return_lines")
    # Another one than ordered when a substitute was sent.
    article = models.ForeignKey(Article, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(_("title"), max_length=500)
    delivered = models.PositiveIntegerField(_("delivered"), default=0)
    returned = models.PositiveIntegerField(_("returned"), default=0)
    is_returnable = models.BooleanField(_("may be returned"), default=True)

    class Meta:
        ordering = ["order_line__position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["job", "order_line", "article"], name="return_line_once"),
            models.CheckConstraint(condition=Q(returned__lte=F("delivered")), name="return_line_units"),
        ]

    def __str__(self):
        return f"{self.delivered} × {self.title}"

    @property
    def left(self):
        """Units that may still come back."""
        return self.delivered - self.returned if self.is_returnable else 0


# What a page or answer about item returns reads.
ITEMS = ("items__reason", "items__condition", "items__line__article")


class ItemReturnQuerySet(FacilityQuerySet):
    def unfinished(self):
        return self.filter(status__in=ItemReturn.UNFINISHED)

    def announced_by_customer(self):
        """What a customer announced with the code of the slip, and may still change."""
        return self.filter(status=ItemReturn.Status.ANNOUNCED, is_by_customer=True)

    def for_api(self):
        return self.select_related("order", "job").prefetch_related(*ITEMS)

    def for_list(self):
        """What is being looked at first, then what waits, then what is on its way."""
        return (
            self.select_related("order", "job")
            .annotate(
                announced=Count("items", filter=Q(items__is_announced=True)),
                received=Count("items", filter=Q(items__received_at__isnull=False)),
            )
            .order_by(F("opened_at").asc(nulls_last=True), "pk")
        )


class ItemReturn(Stateful):
    """Goods that come back together: announced by the customer, or brought to a counter."""

    class Status(models.TextChoices):
        ANNOUNCED = "ANNOUNCED", _("Announced")
        OPEN = "OPEN", _("Arrived")
        IN_PROGRESS = "IN_PROGRESS", _("In progress")
        PAUSED = "PAUSED", _("Paused")
        WAITING_FOR_INPUT = "WAITING_FOR_INPUT", _("Needs a decision")
        FINISHED = "FINISHED", _("Finished")
        CANCELED = "CANCELED", _("Cancelled")
        OBSOLETE = "OBSOLETE", _("Obsolete")

    UNFINISHED = ["ANNOUNCED", "OPEN", "IN_PROGRESS", "PAUSED", "WAITING_FOR_INPUT"]
    HERE = ["OPEN", "IN_PROGRESS", "PAUSED", "WAITING_FOR_INPUT"]
    MOST_ITEMS = 100  # what the wire format has place for

    status = FSMField(_("status"), choices=Status.choices, default=Status.ANNOUNCED, protected=True)
    job = models.ForeignKey(ReturnJob, on_delete=models.PROTECT, related_name="item_returns")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="item_returns")
    # Where it is expected, and once it arrived, where it is.
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="item_returns")
    # What a scan of its parcel may read, beside the codes of the order's slips and labels.
    scannable_codes = models.JSONField(_("scannable codes"), default=list, blank=True)
    # Whether the customer announced it with the code of the slip, and may still change it.
    is_by_customer = models.BooleanField(_("by the customer"), default=False)
    opened_at = models.DateTimeField(_("arrived at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    objects = ItemReturnQuerySet.as_manager()

    class Meta(Stateful.Meta):
        verbose_name = _("return")
        verbose_name_plural = _("returns")
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "ANNOUNCED",
                        "OPEN",
                        "IN_PROGRESS",
                        "PAUSED",
                        "WAITING_FOR_INPUT",
                        "FINISHED",
                        "CANCELED",
                        "OBSOLETE",
                    ]
                ),
                name="item_return_status",
            ),
            models.CheckConstraint(
                condition=Q(opened_at__isnull=False)
                | Q(status="ANNOUNCED")
                | Q(status="CANCELED")
                | Q(status="OBSOLETE"),
                name="item_return_opened_at",
            ),
            models.CheckConstraint(
                condition=Q(status="FINISHED", finished_at__isnull=False)
                | ~Q(status="FINISHED") & Q(finished_at=None),
                name="item_return_finished_at",
            ),
        ]
        indexes = [models.Index(fields=["facility", "status"], name="item_return_list")]

    def __str__(self):
        return self.job.short_id

    @transition(field=status, source=Status.OPEN, target=Status.ANNOUNCED)
    def announce(self):
        """It is not here after all."""
        self.opened_at = None

    @transition(field=status, source=Status.ANNOUNCED, target=Status.OPEN)
    def open(self, facility, now):
        self.facility, self.opened_at = facility, now

    @transition(
        field=status,
        source=[Status.OPEN, Status.PAUSED, Status.WAITING_FOR_INPUT],
        target=Status.IN_PROGRESS,
    )
    def start(self):
        """Somebody looks at the goods."""

    @transition(field=status, source=Status.IN_PROGRESS, target=Status.PAUSED)
    def pause(self):
        """Somebody goes on later."""

    @transition(
        field=status,
        source=[Status.OPEN, Status.IN_PROGRESS, Status.PAUSED],
        target=Status.WAITING_FOR_INPUT,
    )
    def wait_for_input(self):
        """Somebody else has to decide."""

    @transition(field=status, source=Status.IN_PROGRESS, target=Status.FINISHED)
    def finish(self, now):
        self.finished_at = now

    @transition(
        field=status,
        source=[
            Status.ANNOUNCED,
            Status.OPEN,
            Status.IN_PROGRESS,
            Status.PAUSED,
            Status.WAITING_FOR_INPUT,
        ],
        target=Status.CANCELED,
    )
    def cancel(self):
        """The customer keeps the goods, or gets them again."""

    @transition(field=status, source=Status.ANNOUNCED, target=Status.OBSOLETE)
    def make_obsolete(self):
        """Nothing of it can come back any more."""


class ReturnedItem(models.Model):
    """One unit in a return. Changed under the lock of its return, until that is finished."""

    class Verdict(models.TextChoices):
        ACCEPTED = "ACCEPTED", _("Accepted")
        REJECTED = "REJECTED", _("Rejected")

    class Place(models.TextChoices):
        STOCK = "STOCK", _("Stock")
        DEFECTIVE = "DEFECTIVE", _("Defective stock")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    item_return = models.ForeignKey(ItemReturn, on_delete=models.CASCADE, related_name="items")
    line = models.ForeignKey(ReturnJobLine, on_delete=models.PROTECT, related_name="items")
    is_announced = models.BooleanField(_("announced"), default=False)
    reason = models.ForeignKey(
        ReturnReason, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("reason")
    )
    reason_comment = models.CharField(_("comment"), max_length=300, blank=True)
    received_at = models.DateTimeField(_("received at"), null=True)
    # The press of a button that received it: sent twice, it counts once.
    received_in = models.UUIDField(null=True, editable=False)
    condition = models.ForeignKey(
        ReturnCondition, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("condition")
    )
    condition_comment = models.CharField(_("comment on the condition"), max_length=300, blank=True)
    verdict = models.CharField(_("decision"), max_length=8, choices=Verdict.choices, blank=True)
    decision_reason = models.CharField(_("reason of the decision"), max_length=300, blank=True)
    # Where accepted goods go.
    place = models.CharField(_("goes to"), max_length=9, choices=Place.choices, blank=True)
    refund_percent = models.PositiveSmallIntegerField(_("refund (%)"), null=True)
    # Set when the return is finished; None where the price is not known.
    refund_amount = models.DecimalField(_("refund"), max_digits=12, decimal_places=2, null=True)
    refund_currency = models.CharField(_("currency"), max_length=3, blank=True)

    class Meta:
        ordering = ["line__order_line__position", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(verdict__in=["", "ACCEPTED", "REJECTED"]), name="returned_item_verdict"
            ),
            models.CheckConstraint(
                condition=Q(place__in=["", "STOCK", "DEFECTIVE"]), name="returned_item_place"
            ),
            models.CheckConstraint(
                condition=Q(received_at__isnull=False) | Q(is_announced=True, verdict="", condition=None),
                name="returned_item_received_at",
            ),
            models.CheckConstraint(
                condition=Q(verdict="ACCEPTED") & ~Q(place="") & Q(refund_percent__lte=100)
                | ~Q(verdict="ACCEPTED") & Q(place="", refund_amount=None),
                name="returned_item_accepted",
            ),
            models.CheckConstraint(
                condition=~Q(verdict="REJECTED") | ~Q(decision_reason=""), name="returned_item_rejected"
            ),
        ]

    def __str__(self):
        return f"{self.line.title}"

    @property
    def status(self):
        """What became of it, in the words of the wire format. Reads its return."""
        if self.item_return.status in {ItemReturn.Status.CANCELED, ItemReturn.Status.OBSOLETE}:
            return "CANCELED"
        if self.received_at is None:
            return "CANCELED" if self.item_return.status == ItemReturn.Status.FINISHED else "OPEN"
        return self.verdict or "IN_PROGRESS"
