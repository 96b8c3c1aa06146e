"""Why an order went where it went, and what another configuration would have made of it."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from orders.models import Order

from .configuration import RoutingRevision


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


class TrialChange(models.Model):
    """A decision that the draft of a trial makes otherwise: the facilities of its parts, in use and by the draft."""

    trial = models.ForeignKey(RoutingTrial, on_delete=models.CASCADE, related_name="changes")
    log = models.ForeignKey("DecisionLog", on_delete=models.CASCADE, db_index=False, related_name="+")
    before = models.JSONField()
    after = models.JSONField()

    class Meta:
        ordering = ["-log_id"]
        constraints = [models.UniqueConstraint(fields=["trial", "log"], name="trial_change_once")]
        verbose_name = _("changed decision")
        verbose_name_plural = _("changed decisions")

    def __str__(self):
        return f"{self.trial_id}: {self.log_id}"


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
