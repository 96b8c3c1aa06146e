"""What programs outside hear: subscriptions, the events they are told, and the calls that told them."""

import base64
import json
import secrets
import uuid

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fulfillment.core.encryption import decrypt, encrypt
from fulfillment.core.ids import uuid7


class SubscriptionQuerySet(models.QuerySet):
    def live(self):
        return self.filter(deleted_at=None)

    def of_channel(self, channel):
        return self.filter(channel=channel)

    def within(self, facility_ids):
        """Those that hear of nothing but these facilities."""
        elsewhere = Subscription.facilities.through.objects.exclude(facility_id__in=facility_ids)
        return (
            self.filter(facilities__isnull=False)
            .exclude(pk__in=elsewhere.values("subscription_id"))
            .distinct()
        )


class Subscription(models.Model):
    """Somebody wants to be called when something happens.

    Subscriptions with the same address are one receiver, and a receiver is told the events of an order one by one.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=200)
    event = models.CharField(_("event"), max_length=60)
    callback_url = models.CharField(_("address"), max_length=1000)
    encrypted_headers = models.TextField(blank=True, editable=False)
    encrypted_secret = models.TextField(editable=False)
    encrypted_former_secret = models.TextField(blank=True, editable=False)
    former_secret_until = models.DateTimeField(null=True, editable=False)
    channel = models.ForeignKey(
        "core.Channel",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("sales channel"),
        help_text=_("Only of the orders of this channel; none: of all."),
    )
    facilities = models.ManyToManyField(
        "core.Facility",
        blank=True,
        related_name="+",
        verbose_name=_("facilities"),
        help_text=_("None chosen: all facilities."),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    created_by = models.CharField(_("created by"), max_length=120, blank=True, editable=False)
    paused_at = models.DateTimeField(_("paused at"), null=True, editable=False)
    # Rows of a running step may still point here, so that a deleted one stays for a while.
    deleted_at = models.DateTimeField(_("deleted at"), null=True, editable=False)

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["event"], condition=Q(deleted_at=None), name="subscription_event")]
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")

    def __str__(self):
        return f"{self.name} ({self.event})"

    @property
    def headers(self):
        """[(name, value)] that the receiver wants with each call."""
        if not self.encrypted_headers:
            return []
        return [(name, value) for name, value in json.loads(decrypt(self.encrypted_headers))]

    @headers.setter
    def headers(self, pairs):
        self.encrypted_headers = encrypt(json.dumps(list(pairs))) if pairs else ""

    def issue_secret(self):
        """Set a new secret for signatures and return it, which nobody can read again."""
        secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        self.encrypted_secret = encrypt(secret)
        return secret

    def secrets_at(self, now):
        """What to sign with: the secret, and for a while after a change the one before."""
        stored = [self.encrypted_secret]
        if self.encrypted_former_secret and self.former_secret_until > now:
            stored.append(self.encrypted_former_secret)
        return [decrypt(text) for text in stored]

    def hears_of(self, channel_id, facility_ids):
        """Whether something of this channel's order at these facilities is meant for it."""
        if self.channel_id not in (None, channel_id):
            return False
        own = {facility.pk for facility in self.facilities.all()}
        return not own or not own.isdisjoint(facility_ids)


class WebhookEvent(models.Model):
    """What happened, as it was then; kept when somebody had subscribed to it. In the order of its order."""

    uuid = models.UUIDField(_("event id"), default=uuid7, unique=True, editable=False)
    event = models.CharField(_("event"), max_length=60)
    order_id = models.UUIDField(_("order"))
    sequence = models.PositiveIntegerField(_("sequence"))
    """Of the order: steps of an order hold its lock, so numbers are given in the order of the commits."""
    channel_id = models.BigIntegerField()
    facility_ids = models.JSONField(default=list)
    entity_id = models.UUIDField(_("id"))
    payload = models.JSONField(_("data"), encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["event", "created_at"], name="webhook_event_replay"),
            models.Index(fields=["created_at"], name="webhook_event_age"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["order_id", "sequence"], name="webhook_event_sequence"),
        ]
        verbose_name = _("event")
        verbose_name_plural = _("events")

    def __str__(self):
        return f"{self.event} {self.sequence}"


class WebhookStream(models.Model):
    """The events of one order to one receiver: whoever holds the lease calls, so that two calls never overlap."""

    id = models.UUIDField(primary_key=True, editable=False)
    leased_until = models.DateTimeField(null=True)
    lease = models.UUIDField(null=True)
    blocked_until = models.DateTimeField(null=True)
    """Nothing can be told before, because an earlier event waits for its next attempt."""

    def __str__(self):
        return str(self.pk)

    @staticmethod
    def key(order_id, callback_url):
        """The same for everyone, so that nobody has to look for it."""
        return uuid.uuid5(order_id, callback_url)


class WebhookDelivery(models.Model):
    """An event that a subscription is told."""

    class State(models.TextChoices):
        DUE = "DUE", _("Due")
        DONE = "DONE", _("Done")
        FAILED = "FAILED", _("Failed")

    event = models.ForeignKey(
        WebhookEvent, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("event")
    )
    subscription = models.ForeignKey(
        Subscription, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("subscription")
    )
    stream = models.ForeignKey(WebhookStream, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(_("state"), max_length=6, choices=State.choices, default=State.DUE)
    tries = models.PositiveIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(_("due at"))
    queued_at = models.DateTimeField()
    """When it was wanted, first or again: attempts end a week later."""
    holds_until = models.DateTimeField(null=True)
    """How long later events of the order wait for it, from its first failure on."""
    has_gap = models.BooleanField(_("an earlier event is missing"), default=False)
    done_at = models.DateTimeField(_("done at"), null=True)

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(
                fields=["subscription", "due_at"], condition=Q(state="DUE"), name="webhook_delivery_due"
            ),
            models.Index(fields=["stream", "event"], name="webhook_delivery_stream"),
            models.Index(fields=["subscription", "-id"], name="webhook_delivery_log"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["event", "subscription"], name="webhook_delivery_once"),
            models.CheckConstraint(
                condition=Q(state__in=["DUE", "DONE", "FAILED"]), name="webhook_delivery_state"
            ),
            models.CheckConstraint(
                condition=~Q(state="DONE") | Q(done_at__isnull=False), name="webhook_delivery_done_at"
            ),
        ]
        verbose_name = _("delivery to a subscriber")
        verbose_name_plural = _("deliveries to subscribers")

    def __str__(self):
        return f"{self.event} → {self.subscription}"


class WebhookAttempt(models.Model):
    """One call of a receiver and what came back."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField(_("at"))
    milliseconds = models.PositiveIntegerField(_("milliseconds"))
    status_code = models.PositiveSmallIntegerField(_("status"), null=True)
    response = models.TextField(_("response"), blank=True)
    error = models.CharField(_("error"), max_length=300, blank=True)

    class Meta:
        ordering = ["pk"]
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")

    def __str__(self):
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.status_code or self.error}"
