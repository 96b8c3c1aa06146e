import datetime
import functools
import json

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fulfillment.core.encryption import decrypt, encrypt
from fulfillment.core.ids import uuid7
from fulfillment.core.models import Channel
from fulfillment.core.models.base import LockingQuerySet
from orders.models import Order

from .reasons import Reason

# A poll asks again for so much of what it has: clocks differ, and a source may show a change late.
OVERLAP = datetime.timedelta(minutes=10)


@functools.lru_cache(maxsize=200)
def _read(secrets):
    """Credentials as they were typed in; a webhook needs them for its signature, thousands of times an hour."""
    return json.loads(decrypt(secrets))


class ConnectionQuerySet(LockingQuerySet):
    def active(self):
        return self.filter(paused_at=None)

    def note_error(self, failure, *, now):
        self.update(last_error=str(failure)[:1000], last_error_at=now)

    def due(self, now):
        """Active connections whose next poll is due and that no worker polls."""
        return self.active().filter(
            Q(poll_due_at=None) | Q(poll_due_at__lte=now),
            Q(polling_until=None) | Q(polling_until__lt=now),
        )


class Connection(models.Model):
    """One shop or seller account of a source."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(_("source"), max_length=30)
    name = models.CharField(_("name"), max_length=100, unique=True)
    channel = models.ForeignKey(
        Channel,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("sales channel"),
        help_text=_(
            "Its orders get this channel. Connections whose order numbers may be equal need one each."
        ),
    )
    settings = models.JSONField(_("settings"), default=dict, blank=True)
    # Encrypted JSON: what was typed in, and what the source gave for it.
    secrets = models.TextField(editable=False, blank=True)
    tokens = models.TextField(editable=False, blank=True)
    keep_raw_days = models.PositiveIntegerField(
        _("days that deliveries are kept"),
        default=30,
        help_text=_("Then their content, which names customers, is deleted, also of parked ones."),
    )
    paused_at = models.DateTimeField(_("paused since"), null=True, blank=True, editable=False)
    # How far the poll is, and how it goes on.
    watermark = models.DateTimeField(
        _("polled up to"),
        null=True,
        blank=True,
        default=timezone.now,
        help_text=_("Set it back to import older orders; those that are here already come once."),
    )
    cursor = models.JSONField(default=dict, blank=True, editable=False)
    poll_due_at = models.DateTimeField(_("next poll"), null=True, editable=False)
    signing_in_until = models.DateTimeField(null=True, editable=False)
    polling_until = models.DateTimeField(null=True, editable=False)
    poll_failures = models.PositiveIntegerField(default=0, editable=False)
    progress = models.JSONField(default=dict, editable=False, encoder=DjangoJSONEncoder)
    availability_due_at = models.DateTimeField(null=True, editable=False)
    last_error = models.TextField(_("last error"), blank=True, editable=False)
    last_error_at = models.DateTimeField(_("last error at"), null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("connection")
        verbose_name_plural = _("connections")

    def __str__(self):
        return self.name

    @property
    def is_paused(self):
        return self.paused_at is not None

    @property
    def since(self):
        """From when a poll asks; None for everything the source has."""
        return self.watermark - OVERLAP if self.watermark else None

    @property
    def credentials(self):
        return dict(_read(self.secrets)) if self.secrets else {}

    @credentials.setter
    def credentials(self, values):
        self.secrets = encrypt(json.dumps(values))

    @property
    def token_store(self):
        """Access tokens of the source, with the time they end."""
        return json.loads(decrypt(self.tokens)) if self.tokens else {}

    @token_store.setter
    def token_store(self, values):
        self.tokens = encrypt(json.dumps(values)) if values else ""


class WithReason(models.Model):
    """A code and its parameters, shown in the reader's language."""

    reason_code = models.CharField(max_length=40, blank=True)
    reason_params = models.JSONField(default=dict, blank=True)

    class Meta:
        abstract = True

    @property
    def reason(self):
        return Reason(self.reason_code, self.reason_params)

    def because(self, reason):
        """Note a reason, or none."""
        self.reason_code = reason.code if reason else ""
        self.reason_params = {name: text[:1000] for name, text in reason.params.items()} if reason else {}


class DeliveryQuerySet(LockingQuerySet):
    def parked(self):
        return self.filter(state=Delivery.State.PARKED)

    def free(self, now):
        """Received ones that nobody works on. It looks at their own columns only: a claim updates what it finds, and
        with a join the database would judge a row by how it was before another worker took it.
        """
        return self.filter(
            Q(leased_until=None) | Q(leased_until__lt=now), state=Delivery.State.RECEIVED, due_at__lte=now
        )

    def due(self, now):
        """Those that are free; those of a paused connection wait."""
        return self.free(now).filter(connection__paused_at=None)

    def for_list(self):
        return self.select_related("connection").defer("body", "correction", "corrections")


class Delivery(WithReason):
    """What a source sent: stored raw before the answer. Of a poll only what has to be looked at."""

    class State(models.TextChoices):
        RECEIVED = "RECEIVED", _("Received")
        DONE = "DONE", _("Done")
        IGNORED = "IGNORED", _("Nothing to do")
        PARKED = "PARKED", _("Parked")

    class Via(models.TextChoices):
        WEBHOOK = "WEBHOOK", _("Webhook")
        POLL = "POLL", _("Poll")
        QUEUE = "QUEUE", _("Queue")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("connection")
    )
    key = models.CharField(_("id of the delivery"), max_length=255)
    via = models.CharField(max_length=7, choices=Via.choices, default=Via.WEBHOOK)
    topic = models.CharField(_("topic"), max_length=100, blank=True)
    body = models.BinaryField()
    # What an operator made of it, and typed in where something was missing; the raw body stays.
    correction = models.TextField(blank=True)
    corrections = models.JSONField(default=dict, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.RECEIVED)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(default=timezone.now, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)
    external_id = models.CharField(_("id in the shop"), max_length=255, blank=True)
    number = models.CharField(_("order number"), max_length=255, blank=True)
    received_at = models.DateTimeField(_("received at"), default=timezone.now)
    worked_at = models.DateTimeField(_("worked at"), null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("message from a shop")
        verbose_name_plural = _("messages from shops")
        constraints = [
            models.UniqueConstraint(fields=["connection", "key"], name="delivery_once"),
            models.CheckConstraint(
                condition=Q(state__in=["RECEIVED", "DONE", "IGNORED", "PARKED"]), name="delivery_state"
            ),
            models.CheckConstraint(condition=Q(via__in=["WEBHOOK", "POLL", "QUEUE"]), name="delivery_via"),
            models.CheckConstraint(
                condition=~Q(state="PARKED") | ~Q(reason_code=""), name="delivery_parked_reason"
            ),
        ]
        indexes = [
            models.Index(fields=["state", "-id"], name="delivery_state_id"),
            models.Index(fields=["due_at"], condition=Q(state="RECEIVED"), name="delivery_due"),
            models.Index(fields=["connection", "external_id"], name="delivery_external"),
            models.Index(fields=["connection", "received_at"], name="delivery_received"),
        ]

    def __str__(self):
        return self.number or self.external_id or self.key

    @property
    def content(self):
        """What is to be mapped: the correction, else what came."""
        return self.correction.encode() if self.correction else bytes(self.body)


class ImportedOrderQuerySet(LockingQuerySet):
    def select_for_update(self, **options):
        """Reports refer to these rows and are written under the lock of their order, which a change from the shop
        locks after this one: so a row that refers to it does not wait for its lock.
        """
        return super().select_for_update(**options, no_key=True)


class ImportedOrder(models.Model):
    """An order of a source, or one ship group of it: at most one of ours, and how new what we know of it is.

    Without an order the source cancelled it before we had it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="imported")
    external_id = models.CharField(max_length=255)
    group = models.CharField(max_length=255, blank=True)
    number = models.CharField(max_length=255, blank=True)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, null=True, related_name="imported_from")
    version = models.BigIntegerField(null=True)
    source_updated_at = models.DateTimeField(null=True)
    digest = models.CharField(max_length=64, blank=True)
    # {line id: {"ordered": units, "ids": [ids of single units]}}
    lines = models.JSONField(default=dict)
    facts = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    warnings = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)

    objects = ImportedOrderQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name = _("imported order")
        verbose_name_plural = _("imported orders")
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "external_id", "group"], name="imported_order_once"
            ),
            models.UniqueConstraint(fields=["order"], name="imported_order_of"),
        ]

    def __str__(self):
        return f"{self.connection}: {self.number or self.external_id}"

    @property
    def key(self):
        return self.external_id, self.group

    @property
    def remarks(self):
        return [Reason(code, params) for code, params in self.warnings]

    def line_of(self, order_line):
        """The id in the shop of one of our lines, and what is known of it."""
        key = (order_line.wire.get("customAttributes") or {}).get("externalLineId", "")
        return key, self.lines.get(key, {})


class ReportQuerySet(LockingQuerySet):
    def failed(self):
        return self.filter(state=Report.State.PARKED)

    def spent_ids(self):
        """Ids of single units that these reports use; a connector notes them in ``notes["ids"]``."""
        return {unit for notes in self.values_list("notes", flat=True) for unit in notes.get("ids", ())}


class Report(WithReason):
    """What a source must hear: one row per thing that happened, with what became of it."""

    class State(models.TextChoices):
        DUE = "DUE", _("To be sent")
        UNKNOWN = "UNKNOWN", _("Sent, without an answer")
        SENT = "SENT", _("Reported")
        SKIPPED = "SKIPPED", _("Not reported")
        PARKED = "PARKED", _("Refused")

    class What(models.TextChoices):
        SHIPPED = "SHIPPED", _("Parcel")
        SHORT = "SHORT", _("Missing units")
        CANCELLED = "CANCELLED", _("Cancellation")
        DELIVERED = "DELIVERED", _("Delivery to the customer")
        RETURNED = "RETURNED", _("Return")
        RETURN_LABEL = "RETURN_LABEL", _("Return label")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="reports")
    imported = models.ForeignKey(ImportedOrder, on_delete=models.CASCADE, related_name="reports")
    what = models.CharField(_("what"), max_length=12, choices=What.choices)
    # The parcel, or the order line, or the order, or the return.
    subject_id = models.UUIDField()
    state = models.CharField(_("state"), max_length=7, choices=State.choices, default=State.DUE)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    remote_id = models.CharField(_("id in the shop"), max_length=255, blank=True)
    # What the connector noted between attempts.
    notes = models.JSONField(default=dict, blank=True)
    sending_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    due_since = models.DateTimeField(default=timezone.now)  # when it was asked for last
    sent_at = models.DateTimeField(_("reported at"), null=True)

    objects = ReportQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name = _("report to a shop")
        verbose_name_plural = _("reports to shops")
        constraints = [
            models.UniqueConstraint(fields=["connection", "what", "subject_id"], name="report_once"),
            models.CheckConstraint(
                condition=Q(state__in=["DUE", "UNKNOWN", "SENT", "SKIPPED", "PARKED"]), name="report_state"
            ),
            models.CheckConstraint(
                condition=Q(
                    what__in=["SHIPPED", "SHORT", "CANCELLED", "DELIVERED", "RETURNED", "RETURN_LABEL"]
                ),
                name="report_what",
            ),
            models.CheckConstraint(
                condition=~Q(state="SENT") | Q(sent_at__isnull=False), name="report_sent_at"
            ),
        ]
        indexes = [models.Index(fields=["state", "-id"], name="report_state_id")]

    def __str__(self):
        return f"{self.get_what_display()} · {self.imported}"


class Bucket(models.Model):
    """Tokens of a rate limit, where no shared cache holds them. Written by ``buckets.take``."""

    key = models.CharField(max_length=150, primary_key=True)
    tokens = models.FloatField()
    at = models.FloatField()  # seconds since 1970

    def __str__(self):
        return self.key


class SentStock(models.Model):
    """The figure of an article that a source was told last."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    sku = models.CharField(max_length=255)
    units = models.PositiveIntegerField()
    # What the connector knows of the article there, so that it need not ask again.
    notes = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "sku"], name="sent_stock_once")]

    def __str__(self):
        return f"{self.sku}: {self.units}"
