from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from fulfillment.core.models import Facility, StorageLocation
from fulfillment.core.models.base import LockingQuerySet, Stateful

from .jobs import PickJob
from .runs import PickRun


class LoadUnitQuerySet(LockingQuerySet):
    def at(self, facility):
        return self.filter(facility=facility)

    def in_use(self):
        return self.filter(status=LoadUnit.Status.IN_USE)

    def of_job(self, job_id):
        """What holds goods of a job: its own, and those of a run in which it was picked."""
        runs = PickRun.objects.filter(run_jobs__job=job_id).exclude(status=PickRun.Status.CANCELED)
        return self.filter(Q(job=job_id) | Q(run__in=runs.values("pk"), job=None))

    def for_api(self):
        return self.select_related("job", "run").prefetch_related(
            "job__load_units", "job__lines__order_line", "run__run_jobs"
        )

    def for_list(self):
        return self.select_related("job__order", "run", "location")


class LoadUnit(Stateful):
    """A tote, box or cart with a code on it: it holds what is picked, for one job or for all jobs of a batch."""

    class Status(models.TextChoices):
        FREE = "FREE", _("Free")
        IN_USE = "IN_USE", _("In use")
        RETIRED = "RETIRED", _("Retired")

    class Type(models.TextChoices):
        TOTE = "TOTE", _("Tote")
        BOX = "BOX", _("Box")
        CART = "CART", _("Cart")
        PALLET = "PALLET", _("Pallet")

    status = FSMField(_("status"), choices=Status.choices, default=Status.FREE, protected=True)
    type = models.CharField(_("type"), max_length=6, choices=Type.choices, default=Type.TOTE)
    code = models.CharField(_("code"), max_length=80, unique=True)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="load_units")
    location = models.ForeignKey(
        StorageLocation,
        on_delete=models.SET_NULL,
        null=True,
        related_name="load_units",
        verbose_name=_("place"),
    )
    job = models.ForeignKey(PickJob, on_delete=models.PROTECT, null=True, related_name="load_units")
    run = models.ForeignKey(PickRun, on_delete=models.PROTECT, null=True, related_name="load_units")

    objects = LoadUnitQuerySet.as_manager()

    class Meta(Stateful.Meta):
        verbose_name = _("load unit")
        verbose_name_plural = _("load units")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["FREE", "IN_USE", "RETIRED"]), name="load_unit_status"
            ),
            models.CheckConstraint(
                condition=Q(type__in=["TOTE", "BOX", "CART", "PALLET"]), name="load_unit_type"
            ),
            models.CheckConstraint(
                condition=Q(status="IN_USE", job__isnull=False)
                | Q(status="IN_USE", run__isnull=False)
                | (~Q(status="IN_USE") & Q(job=None, run=None)),
                name="load_unit_use",
            ),
        ]
        indexes = [models.Index(fields=["facility", "status"], name="load_unit_list")]

    def __str__(self):
        return self.code

    @property
    def tail(self):
        """The end of the code, to tell totes apart at a glance."""
        return self.code[-4:]

    @property
    def log_order_id(self):
        return self.job.order_id if self.job else None

    @transition(field=status, source=Status.FREE, target=Status.IN_USE)
    def take(self, job, run):
        """It goes along: for a job, or for all jobs of a batch."""
        self.job, self.run, self.location = job, run, None

    @transition(field=status, source=Status.IN_USE, target=Status.FREE)
    def free(self):
        """It is empty again."""
        self.job = self.run = self.location = None

    @transition(field=status, source=Status.FREE, target=Status.RETIRED)
    def retire(self):
        """It is broken or lost."""
        self.location = None
