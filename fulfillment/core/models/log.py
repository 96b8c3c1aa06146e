from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class StatusChange(models.Model):
    """One row per transition of anything, written by ``core.status.transit`` only. An order's history reads these."""

    entity = models.CharField(_("kind"), max_length=40)
    entity_id = models.UUIDField(_("id"))
    order_id = models.UUIDField(_("order"), null=True)
    facility_id = models.UUIDField(_("facility"), null=True)
    action = models.CharField(_("action"), max_length=40)
    before = models.CharField(_("before"), max_length=30, blank=True)
    after = models.CharField(_("after"), max_length=30)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    at = models.DateTimeField(_("at"), default=timezone.now)
    by = models.ForeignKey(
        "core.User",
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("by"),
    )
    actor = models.CharField(_("actor"), max_length=120, blank=True)

    class Meta:
        ordering = ["at", "pk"]
        indexes = [
            models.Index(fields=["order_id", "at"], name="status_change_order"),
            models.Index(fields=["entity", "entity_id"], name="status_change_entity"),
        ]
        verbose_name = _("status change")
        verbose_name_plural = _("status changes")

    def __str__(self):
        return f"{self.entity} {self.before} → {self.after}"


class OutboxEntry(models.Model):
    """Work outside the system that a committed change asked for: one row per (event, handler)."""

    class State(models.TextChoices):
        DUE = "DUE", _("Due")
        DONE = "DONE", _("Done")
        FAILED = "FAILED", _("Failed")

    event = models.CharField(_("event"), max_length=60)
    payload = models.JSONField(_("data"), encoder=DjangoJSONEncoder)
    handler = models.CharField(_("handler"), max_length=120)
    lane = models.CharField(_("lane"), max_length=20)
    state = models.CharField(_("state"), max_length=6, choices=State.choices, default=State.DUE)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(_("due at"), default=timezone.now)
    leased_until = models.DateTimeField(_("in work until"), null=True)
    last_error = models.TextField(_("last error"), blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    done_at = models.DateTimeField(_("done at"), null=True)

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["lane", "due_at"], condition=Q(state="DUE"), name="outbox_due"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["DUE", "DONE", "FAILED"]), name="outbox_state"),
            models.CheckConstraint(
                condition=~Q(state="DONE") | Q(done_at__isnull=False),
                name="outbox_done_at",
            ),
        ]
        verbose_name = _("outbox entry")
        verbose_name_plural = _("outbox")

    def __str__(self):
        return f"{self.event} → {self.handler}"


class Heartbeat(models.Model):
    """When a worker last answered on a lane; ``/healthz`` reads it."""

    lane = models.CharField(max_length=20, primary_key=True)
    at = models.DateTimeField()

    def __str__(self):
        return self.lane


class IdempotencyKey(models.Model):
    """The stored answer to a POST with an ``Idempotency-Key``, per caller."""

    caller = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)
    status_code = models.PositiveSmallIntegerField(null=True)
    location = models.CharField(max_length=200, blank=True)
    answer = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once")]

    def __str__(self):
        return self.key


class Counter(models.Model):
    """How often something happened in a window of time, where no shared cache counts. Written by ``core.limits``."""

    key = models.CharField(max_length=150, primary_key=True)
    ends_at = models.BigIntegerField()  # seconds since 1970
    hits = models.PositiveIntegerField()

    def __str__(self):
        return f"{self.key}: {self.hits}"


class ApiRequest(models.Model):
    """A request of an API token, where no shared cache keeps it. Written by ``core.journal``."""

    token = models.ForeignKey("core.ApiToken", on_delete=models.CASCADE, related_name="requests")
    at = models.DateTimeField(db_index=True)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=200)
    status = models.PositiveSmallIntegerField()
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [models.Index(fields=["token", "-id"], name="api_request_token")]

    def __str__(self):
        return f"{self.method} {self.path} {self.status}"
