import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Prefetch, Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from fulfillment.core.models import Facility, Zone
from fulfillment.core.models.base import LockingQuerySet, Stateful
from fulfillment.core.models.facility import PickingMethod, validate_picking_methods

from .jobs import PickJob, PickLine

EVERYWHERE = uuid.UUID(int=0)


class PickRunQuerySet(LockingQuerySet):
    def at(self, facility):
        return self.filter(facility=facility)

    def active(self):
        return self.filter(status__in=PickRun.ACTIVE)

    def of_jobs(self, jobs):
        """Runs that hold a line of one of these jobs."""
        lines = PickLine.objects.filter(job__in=jobs, run__isnull=False)
        return self.filter(pk__in=lines.order_by().values("run"))

    def for_api(self):
        lines = PickLine.objects.select_related("job", "order_line", "article").order_by("sequence", "pk")
        return self.select_related("editor").prefetch_related("run_jobs", Prefetch("lines", lines))

    def for_list(self):
        """The newest first."""
        return self.select_related("editor").order_by("-pk")


class PickRun(Stateful):
    """Several jobs picked on one walk. While it is active, its lines are picked in it and nowhere else.

    By zones a run has only the lines of its picker's zones; the others of a job are in the runs of colleagues.
    """

    class Status(models.TextChoices):
        OPEN = "OPEN", _("Open")
        IN_PROGRESS = "IN_PROGRESS", _("In progress")
        PAUSED = "PAUSED", _("Paused")
        CLOSED = "CLOSED", _("Closed")
        CANCELED = "CANCELED", _("Cancelled")
        OBSOLETE = "OBSOLETE", _("Obsolete")

    ACTIVE = ["OPEN", "IN_PROGRESS", "PAUSED"]
    METHODS = [
        (PickingMethod.MULTI_ORDER.value, PickingMethod.MULTI_ORDER.label),
        (PickingMethod.BATCH.value, PickingMethod.BATCH.label),
        (PickingMethod.ZONE.value, PickingMethod.ZONE.label),
    ]

    status = FSMField(_("status"), choices=Status.choices, default=Status.OPEN, protected=True)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="pick_runs")
    method = models.CharField(_("picking method"), max_length=11, choices=METHODS)
    short_id = models.CharField(_("short id"), max_length=10)
    jobs = models.ManyToManyField(PickJob, through="PickRunJob", related_name="runs")
    zones = models.ManyToManyField(Zone, related_name="+", blank=True, verbose_name=_("zones"))
    editor = models.ForeignKey(
        "core.User",
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("picker"),
    )
    started_at = models.DateTimeField(_("started at"), null=True)
    closed_at = models.DateTimeField(_("closed at"), null=True)

    objects = PickRunQuerySet.as_manager()

    class Meta(Stateful.Meta):
        verbose_name = _("pick run")
        verbose_name_plural = _("pick runs")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["OPEN", "IN_PROGRESS", "PAUSED", "CLOSED", "CANCELED", "OBSOLETE"]),
                name="pick_run_status",
            ),
            models.CheckConstraint(
                condition=Q(method__in=["MULTI_ORDER", "BATCH", "ZONE"]), name="pick_run_method"
            ),
            models.CheckConstraint(
                condition=~Q(status="IN_PROGRESS") | Q(started_at__isnull=False), name="pick_run_started_at"
            ),
            models.CheckConstraint(
                condition=~Q(status="CLOSED") | Q(closed_at__isnull=False), name="pick_run_closed_at"
            ),
        ]
        indexes = [models.Index(fields=["facility", "status"], name="pick_run_list")]

    def __str__(self):
        return self.short_id

    @property
    def is_active(self):
        return self.status in self.ACTIVE

    @transition(field=status, source=[Status.OPEN, Status.PAUSED], target=Status.IN_PROGRESS)
    def start(self, picker, now):
        self.editor = picker
        self.started_at = self.started_at or now

    @transition(field=status, source=Status.IN_PROGRESS, target=Status.PAUSED)
    def pause(self):
        """Put it aside with its jobs."""

    @transition(field=status, source=Status.IN_PROGRESS, target=Status.CLOSED)
    def close(self, now):
        self.closed_at = now

    @transition(field=status, source=[Status.OPEN, Status.IN_PROGRESS, Status.PAUSED], target=Status.CANCELED)
    def cancel(self):
        """Its jobs are picked in another way."""

    @transition(field=status, source=[Status.OPEN, Status.IN_PROGRESS, Status.PAUSED], target=Status.OBSOLETE)
    def make_obsolete(self):
        """None of its jobs is wanted any more."""


class PickRunJob(models.Model):
    """A job in a run. Its number there is that of its tote."""

    run = models.ForeignKey(PickRun, on_delete=models.CASCADE, related_name="run_jobs")
    job = models.ForeignKey(PickJob, on_delete=models.PROTECT, related_name="run_jobs")
    number = models.PositiveSmallIntegerField(_("number"))
    # When the goods were packed, so that the totes of a batch are free after the last of its orders.
    packed_at = models.DateTimeField(_("packed at"), null=True)

    class Meta:
        ordering = ["number"]
        verbose_name = _("job of a run")
        verbose_name_plural = _("jobs of a run")
        constraints = [
            models.UniqueConstraint(fields=["run", "job"], name="run_job_once"),
            models.UniqueConstraint(fields=["run", "number"], name="run_job_number"),
        ]

    def __str__(self):
        return f"{self.run} {self.number}: {self.job}"


class PickingRules(models.Model):
    """How a facility builds its runs, or (no facility) how all do. What is empty is as everywhere."""

    facility = models.OneToOneField(
        Facility, on_delete=models.CASCADE, null=True, blank=True, related_name="picking_rules"
    )
    methods = models.JSONField(
        _("picking methods"),
        default=list,
        blank=True,
        validators=[validate_picking_methods],
        help_text=_("For facilities that say nothing themselves; the first one is offered first."),
    )
    most_jobs = models.PositiveSmallIntegerField(
        _("most jobs of a run"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )
    most_totes = models.PositiveSmallIntegerField(_("most totes of a run"), null=True, blank=True)
    most_weight_g = models.PositiveIntegerField(_("most weight of a run (g)"), null=True, blank=True)
    most_volume_l = models.PositiveIntegerField(_("most volume of a run (l)"), null=True, blank=True)
    may_take_over = models.BooleanField(_("colleagues may take a run over"), null=True, blank=True)
    release_after_minutes = models.PositiveIntegerField(
        _("abandoned after (minutes)"),
        null=True,
        blank=True,
        help_text=_("Work on which nobody did anything for so long is put aside for others. 0: never."),
    )
    shows_people = models.BooleanField(
        _("floor view counts per person"),
        null=True,
        blank=True,
        help_text=_("Units per hour of each picker. Ask the works council first."),
    )

    class Meta:
        verbose_name = _("picking rules")
        verbose_name_plural = _("picking rules")
        constraints = [
            # A unique column takes two NULLs for different; this does not.
            models.UniqueConstraint(
                Coalesce("facility", Value(EVERYWHERE, models.UUIDField())), name="picking_rules_once"
            ),
            models.CheckConstraint(
                condition=Q(most_jobs=None) | Q(most_jobs__gte=1, most_jobs__lte=100),
                name="picking_rules_jobs",
                violation_error_message=_("A run has 1 to 100 jobs."),
            ),
        ]

    def __str__(self):
        return str(self.facility) if self.facility else str(_("All facilities"))
