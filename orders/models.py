import dataclasses
import datetime
from decimal import Decimal, InvalidOperation

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from fulfillment.core.ids import uuid7
from fulfillment.core.models import ApiToken, Article, Channel, Facility, StatusChange, User
from fulfillment.core.models.base import LockingQuerySet, Stateful

# How far ahead a promise may end, at the least and at the most.
PROMISE = (datetime.timedelta(minutes=1), datetime.timedelta(hours=8))


@dataclasses.dataclass(frozen=True)
class Address:
    """A consumer's address, read from the order's wire form (``ConsumerAddress``)."""

    first_name: str = ""
    last_name: str = ""
    company: str = ""
    street: str = ""
    house_number: str = ""
    addition: str = ""
    postal_code: str = ""
    city: str = ""
    province: str = ""
    country: str = ""
    phone: str = ""
    email: str = ""

    @property
    def name(self):
        return " ".join(filter(None, [self.first_name, self.last_name])) or self.company

    @property
    def lines(self):
        """Lines as they stand on a label, without the country."""
        return [
            *filter(
                None,
                [
                    self.name,
                    self.company if self.company != self.name else "",
                    self.addition,
                ],
            ),
            f"{self.street} {self.house_number}".strip(),
            f"{self.postal_code} {self.city}".strip(),
        ]

    @classmethod
    def from_wire(cls, data):
        phones = [phone.get("value", "") for phone in data.get("phoneNumbers", [])]
        return cls(
            first_name=data.get("firstName", ""),
            last_name=data.get("lastName", ""),
            company=data.get("companyName", ""),
            street=data.get("street", ""),
            house_number=data.get("houseNumber", ""),
            addition=data.get("additionalAddressInfo", ""),
            postal_code=data.get("postalCode", ""),
            city=data.get("city", ""),
            province=data.get("province", ""),
            country=data.get("country", ""),
            phone=next(filter(None, phones), ""),
            email=data.get("email", ""),
        )


class OrderQuerySet(LockingQuerySet):
    def live(self):
        """Orders whose number may not be used again."""
        return self.filter(status__in=Order.LIVE)

    def of_channel(self, channel, facility_ids=None):
        """Orders of a sales channel; with ``facility_ids`` without those the shop fixed to other facilities."""
        orders = self.filter(channel=channel)
        if facility_ids is None:
            return orders
        elsewhere = Order.preselected_facilities.through.objects.filter(order_id=OuterRef("pk"))
        return orders.filter(
            Q(collect_facility=None) | Q(collect_facility__in=facility_ids),
            ~Exists(elsewhere) | Exists(elsewhere.filter(facility_id__in=facility_ids)),
        )

    def seen_at(self, facility_ids):
        """Orders that a stage of one of the facilities had to do with, or that are collected there."""
        steps = StatusChange.objects.filter(order_id=OuterRef("pk"), facility_id__in=facility_ids)
        return self.filter(Q(collect_facility__in=facility_ids) | Exists(steps))

    def for_list(self):
        return self.select_related("channel", "collect_facility").prefetch_related("lines")


class Order(Stateful):
    """What a consumer bought. It has no picked or shipped status: that is read from the stages (process)."""

    class Status(models.TextChoices):
        OPEN = "OPEN", _("Open")
        LOCKED = "LOCKED", _("Locked")
        PROMISED = "PROMISED", _("Promised")
        CANCELLED = "CANCELLED", _("Cancelled")
        OBSOLETE = "OBSOLETE", _("Obsolete")

    LIVE = ["OPEN", "LOCKED", "PROMISED"]

    class Kind(models.TextChoices):
        SHIPPING = "SHIPPING", _("Shipping")
        COLLECT = "COLLECT", _("Click and collect")

    class ServiceLevel(models.TextChoices):
        DELIVERY = "DELIVERY", _("Delivery")
        SAMEDAY = "SAMEDAY", _("Same day")

    status = FSMField(_("status"), choices=Status.choices, default=Status.OPEN, protected=True)
    channel = models.ForeignKey(
        Channel,
        on_delete=models.PROTECT,
        db_index=False,  # order_channel begins with it
        related_name="orders",
        verbose_name=_("sales channel"),
    )
    tenant_order_id = models.CharField(_("order number"), max_length=255, null=True, blank=True)
    process_id = models.UUIDField(default=uuid7, unique=True, editable=False)
    order_date = models.DateTimeField(_("ordered at"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices, default=Kind.SHIPPING)
    service_level = models.CharField(
        _("service level"),
        max_length=8,
        choices=ServiceLevel.choices,
        default=ServiceLevel.DELIVERY,
    )
    target_time = models.DateTimeField(_("target time"), null=True, blank=True)
    # A shop may want its label made later, to change the order until then.
    label_not_before = models.DateTimeField(_("label not before"), null=True, blank=True)
    promised_until = models.DateTimeField(_("promised until"), null=True, blank=True)
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True, blank=True)
    collect_facility = models.ForeignKey(
        Facility,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("collected at"),
    )
    preselected_facilities = models.ManyToManyField(
        Facility, blank=True, related_name="+", verbose_name=_("preselected facilities")
    )
    is_paid = models.BooleanField(_("paid"), default=True)
    recipient_name = models.CharField(_("recipient"), max_length=200)
    country = models.CharField(_("country"), max_length=2, blank=True)
    latitude = models.FloatField(null=True, blank=True)
    longitude = models.FloatField(null=True, blank=True)
    consumer = models.JSONField(_("consumer"), default=dict, encoder=DjangoJSONEncoder)
    delivery_preferences = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    # The rest of what the shop sent (pricing, payment, stickers ...), kept and shown as it came.
    extra = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    objects = OrderQuerySet.as_manager()

    # The lines ``services.place`` has just written; not there on an order that was loaded.
    placed_lines: "list[OrderLine]"

    class Meta(Stateful.Meta):
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["OPEN", "LOCKED", "PROMISED", "CANCELLED", "OBSOLETE"]),
                name="order_status",
            ),
            models.CheckConstraint(condition=Q(kind__in=["SHIPPING", "COLLECT"]), name="order_kind"),
            models.CheckConstraint(
                condition=Q(service_level__in=["DELIVERY", "SAMEDAY"]),
                name="order_service_level",
            ),
            models.CheckConstraint(
                condition=~Q(status="CANCELLED") | Q(cancelled_at__isnull=False),
                name="order_cancelled_at",
            ),
            models.CheckConstraint(
                condition=~Q(status="PROMISED") | Q(promised_until__isnull=False),
                name="order_promised_until",
            ),
            models.CheckConstraint(
                condition=~Q(kind="COLLECT") | Q(collect_facility__isnull=False),
                name="order_collect_facility",
            ),
            models.UniqueConstraint(
                fields=["channel", "tenant_order_id"],
                condition=Q(status__in=["OPEN", "LOCKED", "PROMISED"]),
                name="order_number_once",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant_order_id", "channel"], name="order_number"),
            models.Index(fields=["channel", "-id"], name="order_channel"),  # a shop's list, newest first
            models.Index(fields=["status", "target_time"], name="order_status_target"),
        ]

    def __str__(self):
        return self.tenant_order_id or str(self.pk)

    @property
    def log_order_id(self):
        return self.pk

    def _address(self, *types):
        addresses = self.consumer.get("addresses", [])
        for wanted in types:
            for data in addresses:
                if data.get("addressType", "POSTAL_ADDRESS") == wanted:
                    return Address.from_wire(data)
        return Address.from_wire(addresses[0]) if addresses else None

    @property
    def shipping_address(self):
        """Where the parcel goes: parcel locker, else postal, else invoice address; None without any."""
        return self._address("PARCEL_LOCKER", "POSTAL_ADDRESS", "INVOICE_ADDRESS")

    @property
    def invoice_address(self):
        return self._address("INVOICE_ADDRESS", "POSTAL_ADDRESS")

    def is_label_early(self, now):
        """Whether the shop wants its labels made later than this."""
        return self.label_not_before is not None and now < self.label_not_before

    @property
    def names_facilities(self):
        """Whether the shop preselected facilities."""
        return bool((self.delivery_preferences.get("shipping") or {}).get("preselectedFacilities"))

    @property
    def email(self):
        address = self.shipping_address
        return self.consumer.get("email", "") or (address.email if address else "")

    @transition(
        field=status,
        source=[Status.OPEN, Status.LOCKED, Status.PROMISED],
        target=Status.CANCELLED,
    )
    def cancel(self, now):
        self.cancelled_at = now

    @transition(field=status, source=Status.LOCKED, target=Status.OPEN)
    def unlock(self):
        """Let operations begin: the order was routed and reserved, but held back."""

    @transition(field=status, source=Status.PROMISED, target=Status.OPEN)
    def confirm_promise(self):
        """The consumer ordered what was promised."""

    @transition(field=status, source=Status.PROMISED, target=Status.OBSOLETE)
    def expire(self):
        """Nobody confirmed the promise in time."""


class OrderLine(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveSmallIntegerField(_("position"))
    article = models.ForeignKey(
        Article,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("article"),
    )
    sku = models.CharField(_("SKU"), max_length=255)
    title = models.CharField(_("title"), max_length=500)
    quantity = models.PositiveIntegerField(_("quantity"))
    scannable_codes = models.JSONField(_("scannable codes"), default=list, blank=True)
    # The line as the shop sent it, for the answers of the API.
    wire = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        ordering = ["position"]
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="order_line_position"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="order_line_quantity"),
        ]

    def __str__(self):
        return f"{self.quantity} × {self.sku}"

    @property
    def price(self):
        """(what the customer pays for one unit, currency), or (None, "") when the shop did not say; reads the order."""
        price = self.wire.get("shopPrice")
        currency = (self.order.extra.get("paymentInfo") or {}).get("currency", "")
        if price is None or len(currency) != 3:
            return None, ""
        try:
            return Decimal(str(price)), currency.upper()
        except InvalidOperation:
            return None, ""


class BulkImport(models.Model):
    """Many orders that came at once: they stand in a file, one per line, until a worker has written them all."""

    class Status(models.TextChoices):
        OPEN = "OPEN", _("Waiting")
        IN_PROGRESS = "IN_PROGRESS", _("In progress")
        FINISHED = "FINISHED", _("Finished")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="bulk_imports")
    token = models.ForeignKey(ApiToken, on_delete=models.SET_NULL, null=True, related_name="+")
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    caller = models.CharField(max_length=60)
    # What the Idempotency-Key said, None without one.
    key = models.CharField(max_length=255, null=True)
    sha256 = models.CharField(max_length=64)
    facility_ids = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    is_dry_run = models.BooleanField(default=False)
    total = models.PositiveIntegerField()
    # How far the work is: rows, and bytes of the file.
    position = models.PositiveIntegerField(default=0)
    offset = models.PositiveBigIntegerField(default=0)
    counts = models.JSONField(default=dict)  # {outcome: rows}
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    objects = LockingQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("bulk import")
        verbose_name_plural = _("bulk imports")
        constraints = [
            models.UniqueConstraint(fields=["caller", "key"], name="bulk_import_key_once"),
            models.CheckConstraint(condition=Q(position__lte=F("total")), name="bulk_import_position"),
        ]

    def __str__(self):
        return str(self.pk)

    @property
    def status(self):
        if self.finished_at is not None:
            return self.Status.FINISHED
        return self.Status.IN_PROGRESS if self.position else self.Status.OPEN

    @property
    def by(self):
        """Who brought the orders; None when that account is gone."""
        return self.token or self.user


class BulkResult(models.Model):
    """What became of one row of a bulk; written in the transaction of its order."""

    class Outcome(models.TextChoices):
        CREATED = "CREATED", _("Created")
        REPLAYED = "REPLAYED", _("Existed already")
        REFUSED = "REFUSED", _("Refused")
        VALID = "VALID", _("Valid")

    bulk = models.ForeignKey(BulkImport, on_delete=models.CASCADE, related_name="results")
    number = models.PositiveIntegerField()
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    order_id = models.UUIDField(null=True)
    tenant_order_id = models.CharField(max_length=255, blank=True)
    errors = models.JSONField(default=list, encoder=DjangoJSONEncoder)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["bulk", "number"], name="bulk_result_once"),
            models.CheckConstraint(
                condition=Q(outcome__in=["CREATED", "REPLAYED", "REFUSED", "VALID"]),
                name="bulk_result_outcome",
            ),
        ]

    def __str__(self):
        return f"{self.number}: {self.outcome}"


class ParcelRecord(models.Model):
    """What the shop must hear of a parcel. Written by shipping through ``orders.services.record_parcel``."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="parcel_records")
    parcel_id = models.UUIDField(unique=True)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="+")
    carrier_key = models.CharField(max_length=50)
    tracking_number = models.CharField(max_length=120, blank=True)
    tracking_url = models.URLField(max_length=500, blank=True)
    return_tracking_number = models.CharField(max_length=120, blank=True)
    DELIVERED = "delivered"

    # [{"line": order line id, "quantity": units}]
    items = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    # The box it is, and units that ship in several boxes, this one among them:
    # [{"line": order line id, "quantity": units, "begins": box that they are counted in, "goes_on": other box}]
    package_id = models.UUIDField(null=True)
    parts = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    recorded_at = models.DateTimeField()
    handed_over_at = models.DateTimeField(null=True)
    # Where it is on its way, in the words of the wire format, and since when.
    tracking_status = models.CharField(max_length=30, blank=True)
    tracked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["recorded_at"]

    def __str__(self):
        return self.tracking_number or str(self.parcel_id)

    @property
    def is_collected(self):
        """Whether the customer took the goods along: no carrier has them, and there are no numbers."""
        return not self.carrier_key


class ShortRecord(models.Model):
    """Units of an order line that will not come, with the reason. Written by picking and handover."""

    line = models.ForeignKey(OrderLine, on_delete=models.CASCADE, related_name="short_records")
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField()
    reason = models.CharField(max_length=40)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["recorded_at"]
        constraints = [models.CheckConstraint(condition=Q(quantity__gte=1), name="short_record_quantity")]

    def __str__(self):
        return f"{self.quantity} × {self.line.sku}"


class ReturnRecord(models.Model):
    """What became of units that a customer returned, for the shop. Written once a return is judged."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="return_records")
    return_id = models.UUIDField(unique=True)
    # [{"line": order line id, "quantity": units, "is_accepted", "condition": key, "reason": key}]
    items = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["recorded_at"]

    def __str__(self):
        return str(self.return_id)
