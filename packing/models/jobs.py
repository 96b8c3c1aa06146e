from django.db import models
from django.db.models import F, OuterRef, Prefetch, Q, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from fulfillment.core.codes import parcel_codes
from fulfillment.core.ids import uuid7
from fulfillment.core.models import Article, Facility, StorageLocation
from fulfillment.core.models.base import LockingQuerySet, Stateful
from orders.models import Order, OrderLine
from picking.models import LoadUnit, PickJob, PickLine, PickRunJob

from .boxes import BoxType


class PackJobQuerySet(LockingQuerySet):
    def at(self, facility):
        return self.filter(facility=facility)

    def open(self):
        return self.filter(status__in=PackJob.UNFINISHED)

    def for_list(self):
        """Most urgent first; jobs without a target time on top. Annotates ``units`` and ``packed``."""
        units = PackLine.objects.filter(job=OuterRef("pk")).order_by().values("job")
        packed = PackageItem.objects.filter(line__job=OuterRef("pk")).order_by().values("line__job")
        return (
            self.select_related("order", "editor")
            .annotate(
                units=Coalesce(Subquery(units.annotate(n=Sum("quantity")).values("n")), 0),
                packed=Coalesce(Subquery(packed.annotate(n=Sum("quantity")).values("n")), 0),
            )
            .order_by(F("target_time").asc(nulls_first=True), "pk")
        )

    def for_api(self):
        # Grouping by the JSON of an order line would be slow, so that is read beside the lines.
        lines = PackLine.objects.with_packed().prefetch_related("order_line", "article")
        return self.select_related("order", "editor").prefetch_related(
            Prefetch("lines", lines), "assigned_users"
        )

    def matching(self, text):
        """Jobs with this short id, order number or package code, or whose goods are in the tote with this code."""
        totes = LoadUnit.objects.in_use().filter(code__in=parcel_codes(text))
        batches = PickRunJob.objects.filter(run__in=totes.filter(job=None).values("run"), packed_at=None)
        return self.filter(
            Q(short_id__iexact=text)
            | Q(order__tenant_order_id__iexact=text)
            | Q(pk__in=Package.objects.filter(code__iexact=text).values("job"))
            | Q(pick_job__in=totes.filter(job__isnull=False).values("job"))
            | Q(pick_job__in=batches.values("job"))
        )


class PackJob(Stateful):
    """Puts what was picked into packages."""

    class Status(models.TextChoices):
        OPEN = "OPEN", _("Open")
        IN_PROGRESS = "IN_PROGRESS", _("In progress")
        PAUSED = "PAUSED", _("Paused")
        CLOSED = "CLOSED", _("Closed")
        CANCELED = "CANCELED", _("Cancelled")
        OBSOLETE = "OBSOLETE", _("Obsolete")

    UNFINISHED = ["OPEN", "IN_PROGRESS", "PAUSED"]

    status = FSMField(_("status"), choices=Status.choices, default=Status.OPEN, protected=True)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="pack_jobs")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="pack_jobs")
    pick_job = models.OneToOneField(PickJob, on_delete=models.PROTECT, related_name="pack_job")
    kind = models.CharField(_("kind"), max_length=8, choices=Order.Kind.choices)
    short_id = models.CharField(_("short id"), max_length=10)
    target_time = models.DateTimeField(_("target time"), null=True)
    editor = models.ForeignKey(
        "core.User",
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("packer"),
    )
    # Empty: for whoever asks for the next job.
    assigned_users = models.ManyToManyField(
        "core.User", related_name="+", blank=True, verbose_name=_("assigned to")
    )
    started_at = models.DateTimeField(_("started at"), null=True)
    closed_at = models.DateTimeField(_("closed at"), null=True)

    objects = PackJobQuerySet.as_manager()

    class Meta(Stateful.Meta):
        verbose_name = _("pack job")
        verbose_name_plural = _("pack jobs")
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "OPEN",
                        "IN_PROGRESS",
                        "PAUSED",
                        "CLOSED",
                        "CANCELED",
                        "OBSOLETE",
                    ]
                ),
                name="pack_job_status",
            ),
            models.CheckConstraint(condition=Q(kind__in=["SHIPPING", "COLLECT"]), name="pack_job_kind"),
            models.CheckConstraint(
                condition=~Q(status="CLOSED") | Q(closed_at__isnull=False),
                name="pack_job_closed_at",
            ),
        ]
        indexes = [models.Index(fields=["facility", "status", "target_time"], name="pack_job_list")]

    def __str__(self):
        return self.short_id

    @property
    def is_waiting(self):
        """Whether nobody packs it now."""
        return self.status in (self.Status.OPEN, self.Status.PAUSED)

    @property
    def needs_weights(self):
        """A parcel is weighed for its label; a bag that the customer collects is not."""
        return self.kind == Order.Kind.SHIPPING

    @transition(field=status, source=[Status.OPEN, Status.PAUSED], target=Status.IN_PROGRESS)
    def start(self, packer, now):
        self.editor = packer
        self.started_at = self.started_at or now

    @transition(field=status, source=Status.IN_PROGRESS, target=Status.PAUSED)
    def pause(self):
        """Put it aside; packages stay as they are."""

    @transition(field=status, source=Status.IN_PROGRESS, target=Status.CLOSED)
    def close(self, now):
        self.closed_at = now

    @transition(
        field=status,
        source=[Status.OPEN, Status.IN_PROGRESS, Status.PAUSED],
        target=Status.CANCELED,
    )
    def cancel(self):
        """The order is no longer wanted."""

    @transition(
        field=status,
        source=[Status.OPEN, Status.IN_PROGRESS, Status.PAUSED],
        target=Status.OBSOLETE,
    )
    def make_obsolete(self):
        """Its goods are being picked again."""

    @transition(field=status, source=Status.OBSOLETE, target=Status.OPEN)
    def renew(self):
        """Its goods were picked again."""


class PackLineQuerySet(models.QuerySet):
    def with_packed(self):
        """Annotate ``packed``: units that are in a package; in the order of the order."""
        # A grouped query forgets the ordering of Meta.
        return self.annotate(packed=Coalesce(Sum("items__quantity"), 0)).order_by(
            "order_line__position", "pk"
        )


class PackLine(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(PackJob, on_delete=models.CASCADE, related_name="lines")
    pick_line = models.ForeignKey(PickLine, on_delete=models.PROTECT, related_name="pack_lines")
    # A part of the units of that line, as a line of its own.
    split_from = models.ForeignKey(
        "self",
        on_delete=models.CASCADE,
        null=True,
        editable=False,
        related_name="splits",
        verbose_name=_("split from"),
    )
    order_line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="pack_lines")
    article = models.ForeignKey(Article, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(_("title"), max_length=500)
    quantity = models.PositiveIntegerField(_("picked"))
    # Packed units that somebody saw to be right: scanned, or counted by who may do without.
    verified = models.PositiveIntegerField(_("verified"), default=0)
    # What is recorded of these units, see ``fulfillment.core.attributes``.
    recordable_attributes = models.JSONField(_("recordable attributes"), default=list, blank=True)

    objects = PackLineQuerySet.as_manager()

    class Meta:
        ordering = ["order_line__position", "pk"]  # parts of a line have its position
        verbose_name = _("pack line")
        verbose_name_plural = _("pack lines")
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gte=1), name="pack_line_quantity"),
            models.UniqueConstraint(
                fields=["pick_line"], condition=Q(split_from=None), name="pack_line_of_a_pick_line"
            ),
        ]

    def __str__(self):
        return f"{self.quantity} × {self.title}"

    @property
    def sku(self):
        """Of what is packed: the shop's own, or that of an article picked instead."""
        is_substitute = self.article_id != self.order_line.article_id
        return self.article.sku if is_substitute else self.order_line.sku


class PackageQuerySet(models.QuerySet):
    def for_api(self):
        return self.select_related("job", "box_type").prefetch_related(
            "items__line__order_line", "items__line__article"
        )


class Package(models.Model):
    """A box of a pack job with its own scannable code; becomes a parcel when it is shipped."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(PackJob, on_delete=models.CASCADE, related_name="packages")
    number = models.PositiveSmallIntegerField(_("number"))
    code = models.CharField(_("code"), max_length=30, unique=True)
    box_type = models.ForeignKey(
        BoxType,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="packages",
        verbose_name=_("box"),
    )
    location = models.ForeignKey(
        StorageLocation,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="packages",
        verbose_name=_("stands at"),
    )
    weight_g = models.PositiveIntegerField(_("weight (g)"), null=True, blank=True)
    length_mm = models.PositiveIntegerField(_("length (mm)"), null=True, blank=True)
    width_mm = models.PositiveIntegerField(_("width (mm)"), null=True, blank=True)
    height_mm = models.PositiveIntegerField(_("height (mm)"), null=True, blank=True)

    objects = PackageQuerySet.as_manager()

    class Meta:
        ordering = ["number"]
        verbose_name = _("package")
        verbose_name_plural = _("packages")
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="package_number")]

    def __str__(self):
        return self.code

    def take_box(self, box):
        """Become this kind of box, with its outer size; None: a box that nobody named."""
        self.box_type = box
        self.length_mm, self.width_mm, self.height_mm = box.outer_mm if box else (None, None, None)


class PackageItem(models.Model):
    package = models.ForeignKey(Package, on_delete=models.CASCADE, related_name="items")
    line = models.ForeignKey(PackLine, on_delete=models.CASCADE, related_name="items")
    quantity = models.PositiveIntegerField(_("units"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["package", "line"], name="package_item_once"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="package_item_quantity"),
        ]

    def __str__(self):
        return f"{self.quantity} × {self.line.title}"


class PackagePart(models.Model):
    """Units of an item that go on in another package: each of them ships in several boxes.

    They are counted where the item is. The other package holds a part of each of them.
    """

    item = models.ForeignKey(PackageItem, on_delete=models.CASCADE, related_name="parts")
    package = models.ForeignKey(Package, on_delete=models.CASCADE, related_name="parts")
    quantity = models.PositiveIntegerField(_("units"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "package"], name="package_part_once"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="package_part_quantity"),
        ]

    def __str__(self):
        return f"{self.quantity} × {self.item.line.title}"
