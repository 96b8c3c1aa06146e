import secrets

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .document import Document
from .facility import Facility
from .staff import Secret


class Station(Secret, models.Model):
    """A place with printers whose agent asks for print jobs. Devices remember which one they print at."""

    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="stations")
    name = models.CharField(_("name"), max_length=40)
    label_format = models.CharField(
        _("labels as"),
        max_length=3,
        choices=[(name.value, name.label) for name in Document.PAPERS],
        default=Document.Format.PDF,
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(_("given up at"), null=True, blank=True, editable=False)
    seen_at = models.DateTimeField(_("seen at"), null=True, blank=True, editable=False)

    expires_at = None

    class Meta:
        ordering = ["name", "pk"]
        verbose_name = _("print station")
        verbose_name_plural = _("print stations")
        constraints = [
            models.UniqueConstraint(
                fields=["facility", "name"],
                condition=Q(revoked_at=None),
                name="station_name_once",
                violation_error_message=_("There is a station of this name already."),
            ),
            models.CheckConstraint(condition=Q(label_format__in=["PDF", "ZPL"]), name="station_label_format"),
        ]

    def __str__(self):
        return self.name

    def issue(self):
        """Set the digest from a new secret and return the secret, which nobody can read again."""
        secret = f"stn_{secrets.token_urlsafe(32)}"
        self.digest = self.hash(secret)
        return secret


class PrintJobQuerySet(models.QuerySet):
    def at(self, facility):
        return self.filter(facility=facility)

    def for_list(self):
        return self.select_related("station", "document", "asked_by").order_by("-pk")

    def claimable(self, now):
        """What nobody prints: jobs that wait, and those whose agent said nothing within its lease."""
        return self.filter(
            Q(state=PrintJob.State.WAITING) | Q(state=PrintJob.State.PRINTING, lease_until__lte=now)
        )


class PrintJob(models.Model):
    """A document that was to be printed: by the agent of a station, or in somebody's browser. Also the log of prints.

    An agent holds a lease and says when the printer has it, so that a lost answer neither loses a job nor prints it
    twice. Only an agent that dies between printing and saying so prints one again.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", _("Waiting")
        PRINTING = "PRINTING", _("With the printer")
        DONE = "DONE", _("Printed")
        FAILED = "FAILED", _("Failed")

    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="print_jobs")
    # None: in the browser of whoever asked.
    station = models.ForeignKey(Station, on_delete=models.PROTECT, null=True, related_name="jobs")
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="prints")
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.WAITING)
    is_reprint = models.BooleanField(_("printed before"), default=False)
    lease = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.CharField(_("error"), max_length=300, blank=True)
    asked_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(_("asked at"), default=timezone.now)
    done_at = models.DateTimeField(_("printed at"), null=True)

    objects = PrintJobQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name = _("print job")
        verbose_name_plural = _("print jobs")
        indexes = [models.Index(fields=["station", "state"], name="print_job_queue")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["WAITING", "PRINTING", "DONE", "FAILED"]), name="print_job_state"
            ),
            models.CheckConstraint(
                condition=~Q(state="DONE") | Q(done_at__isnull=False), name="print_job_done_at"
            ),
            models.CheckConstraint(
                condition=~Q(state="PRINTING") | Q(lease__isnull=False, lease_until__isnull=False),
                name="print_job_lease",
            ),
        ]

    def __str__(self):
        return f"{self.document} · {self.get_state_display()}"

    @property
    def status(self):
        """For the badge of the pages."""
        if self.is_opened_only:
            return "OPEN"
        return {"PRINTING": "IN_PROGRESS"}.get(self.state, self.state)

    def get_status_display(self):
        if self.is_opened_only:
            return _("Opened for printing")
        return self.get_state_display()

    @property
    def is_opened_only(self):
        """Nobody hears whether a browser really printed, or whether its dialog was closed."""
        return self.station_id is None and self.state == PrintJob.State.DONE
