import datetime
import uuid

from biip import ParseError
from biip.gtin import Gtin
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Greatest
from django.db.models.lookups import Exact
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from ..countries import validate_country
from .base import Entity, LockingQuerySet
from .facility import Facility, StorageLocation

# SQLite takes two NULLs for different; a unique index over these stand-ins does not.
_NOWHERE = uuid.UUID(int=0)
_NEVER = datetime.date.min


class Article(Entity):
    """What is sold, network-wide. Created on first sight of its SKU, changed only by staff or import."""

    sku = models.CharField(_("SKU"), max_length=100, unique=True)
    title = models.CharField(_("title"), max_length=200)
    titles = models.JSONField(_("titles per language"), default=dict, blank=True)
    image_url = models.URLField(_("picture address"), max_length=500, blank=True)
    weight_g = models.PositiveIntegerField(_("weight (g)"), null=True, blank=True)
    length_mm = models.PositiveIntegerField(_("length (mm)"), null=True, blank=True)
    width_mm = models.PositiveIntegerField(_("width (mm)"), null=True, blank=True)
    height_mm = models.PositiveIntegerField(_("height (mm)"), null=True, blank=True)
    customs_description = models.CharField(_("customs description"), max_length=100, blank=True)
    hs_code = models.CharField(_("HS code"), max_length=12, blank=True)
    origin_country = models.CharField(
        _("country of origin"), max_length=2, blank=True, validators=[validate_country]
    )
    customs_value = models.DecimalField(
        _("value for customs"),
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("Of one unit, where an order says none."),
    )
    customs_currency = models.CharField(
        _("currency of the value"),
        max_length=3,
        blank=True,
        validators=[RegexValidator(r"^[A-Z]{3}$", _("Enter a currency like EUR."))],
    )

    # What a picker records of each unit, out of its GS1 code or by hand.
    records_lot = models.BooleanField(_("lot is recorded"), default=False)
    records_expiry = models.BooleanField(_("expiry date is recorded"), default=False)
    records_serial = models.BooleanField(_("serial number is recorded"), default=False)
    # Goods whose units differ in weight: each is weighed, and must be near the weight of the article.
    is_weighed = models.BooleanField(_("each unit is weighed"), default=False)
    weight_tolerance = models.PositiveSmallIntegerField(
        _("tolerance of the weight (%)"), default=10, validators=[MaxValueValidator(100)]
    )

    class Meta(Entity.Meta):
        ordering = ["sku"]
        constraints = [
            models.CheckConstraint(
                condition=Q(is_weighed=False) | Q(weight_g__gte=1),
                name="article_weighed",
                violation_error_message=_("Goods that are weighed need the weight of one unit."),
            )
        ]
        verbose_name = _("article")
        verbose_name_plural = _("articles")

    def __str__(self):
        return f"{self.sku} {self.title}"

    @property
    def local_title(self):
        """The title in the language of the person who reads it, where there is one."""
        language = (get_language() or "")[:2]
        return next(
            (words for key, words in self.titles.items() if words and key[:2] == language), self.title
        )

    def weight_range(self, units):
        """Grams that so many units may weigh: (least, most)."""
        tolerance = self.weight_g * units * self.weight_tolerance // 100
        return self.weight_g * units - tolerance, self.weight_g * units + tolerance


class ArticleCode(models.Model):
    """A code a scanner may read for an article. A carton code stands for several units."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="codes")
    code = models.CharField(_("code"), max_length=80, unique=True)
    units = models.PositiveIntegerField(_("units"), default=1)

    class Meta:
        ordering = ["units", "code"]
        constraints = [models.CheckConstraint(condition=Q(units__gte=1), name="article_code_units")]
        verbose_name = _("article code")
        verbose_name_plural = _("article codes")

    def __str__(self):
        return self.code

    def clean(self):
        if not self.code.isdigit() or len(self.code) not in {8, 12, 13, 14}:
            return  # a code of the retailer's own
        try:
            Gtin.parse(self.code)
        except ParseError as error:
            raise ValidationError(
                {"code": _("The check digit of %(code)s is wrong.") % {"code": self.code}}
            ) from error


class SubstituteQuerySet(models.QuerySet):
    def at(self, facility):
        """Those that hold at a facility, the best first."""
        return self.filter(Q(facility=None) | Q(facility=facility)).order_by("priority", "pk")


class Substitute(models.Model):
    """An article that a picker may take when another is not there, at one facility or (no facility) at each."""

    article = models.ForeignKey(
        Article, on_delete=models.CASCADE, related_name="substitutes", verbose_name=_("article")
    )
    substitute = models.ForeignKey(
        Article, on_delete=models.CASCADE, related_name="+", verbose_name=_("substitute")
    )
    facility = models.ForeignKey(
        Facility,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("facility"),
        help_text=_("None chosen: everywhere."),
    )
    priority = models.PositiveSmallIntegerField(_("priority"), default=1, help_text=_("1 is offered first."))

    objects = SubstituteQuerySet.as_manager()

    class Meta:
        ordering = ["priority", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["article", "substitute", "facility"], name="substitute_once"),
            models.UniqueConstraint(
                fields=["article", "substitute"], condition=Q(facility=None), name="substitute_network_once"
            ),
            models.CheckConstraint(
                condition=~Q(article=F("substitute")),
                name="substitute_other",
                violation_error_message=_("An article is no substitute for itself."),
            ),
        ]
        verbose_name = _("substitute")
        verbose_name_plural = _("substitutes")

    def __str__(self):
        return f"{self.article} → {self.substitute}"


class ListingQuerySet(LockingQuerySet):
    def with_available(self, today):
        """Annotate ``usable`` (units on pickable shelves), ``safety`` and ``available`` (for picking, never below 0).

        available = usable value - reserved - safety stock; expired, defective and unreachable stock counts nowhere.
        """
        usable = (
            Stock.objects.usable(today)
            .filter(listing=OuterRef("pk"))
            .order_by()
            .values("listing")
            .annotate(units=Sum("value"))
            .values("units")
        )
        safety = SafetyStock.objects.filter(article=OuterRef("article_id")).values("value")
        return self.annotate(
            usable=Coalesce(Subquery(usable), Value(0)),
            safety=Coalesce(
                Subquery(safety.filter(facility=OuterRef("facility_id"))[:1]),
                Subquery(safety.filter(facility=None)[:1]),
                Value(0),
            ),
        ).annotate(available=Greatest(F("usable") - F("reserved") - F("safety"), Value(0)))

    def off_their_stock(self):
        """Those whose ``plain_units`` are not what their stock rows say, with ``counted``: what they have to be."""
        sound = Stock.objects.filter(listing=OuterRef("pk"), is_defective=False).order_by()
        special = sound.filter(value__gt=0).exclude(location=None, expires_on=None)
        plain = sound.filter(location=None, expires_on=None)  # one row at most, see stock_once
        counted = Case(
            When(Exists(special), then=None), default=Coalesce(Subquery(plain.values("value")), Value(0))
        )
        none = Value(-1)
        return self.annotate(counted=counted).exclude(
            Exact(Coalesce("plain_units", none), Coalesce("counted", none))
        )


class Listing(Entity):
    """An article at a facility: the lock of its stock there, and the counter of what is reserved."""

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", _("Active")
        INACTIVE = "INACTIVE", _("Inactive")

    class OutOfStock(models.TextChoices):
        NONE = "NONE", _("Nothing")
        BACKORDER = "BACKORDER", _("Back order")
        PREORDER = "PREORDER", _("Pre-order")
        RESTOCK = "RESTOCK", _("Restock")

    facility = models.ForeignKey(
        Facility, on_delete=models.CASCADE, db_index=False, related_name="listings"
    )  # listing_once begins with it
    article = models.ForeignKey(
        Article, on_delete=models.PROTECT, db_index=False, related_name="listings"
    )  # listing_offer begins with it
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.ACTIVE)
    title = models.CharField(_("title here"), max_length=200, blank=True)
    scannable_codes = models.JSONField(_("scannable codes here"), default=list, blank=True)
    attributes = models.JSONField(_("attributes"), default=list, blank=True)
    out_of_stock = models.CharField(
        _("when out of stock"),
        max_length=9,
        choices=OutOfStock.choices,
        default=OutOfStock.NONE,
    )
    reserved = models.PositiveIntegerField(_("reserved"), default=0, editable=False)
    # What is there of goods that lie at no place and never expire: routing reads it at thousands of facilities at
    # once. None where some have a place or a date: then the rows are added up. Kept by ``core.services.stock``.
    plain_units = models.PositiveIntegerField(null=True, default=0, editable=False)
    # What a program sent beside this (legal notes, units ...), kept and shown as it came.
    extra = models.JSONField(default=dict, blank=True, editable=False)

    objects = ListingQuerySet.as_manager()

    class Meta(Entity.Meta):
        constraints = [
            models.UniqueConstraint(fields=["facility", "article"], name="listing_once"),
            models.CheckConstraint(condition=Q(status__in=["ACTIVE", "INACTIVE"]), name="listing_status"),
            models.CheckConstraint(
                condition=Q(out_of_stock__in=["NONE", "BACKORDER", "PREORDER", "RESTOCK"]),
                name="listing_out_of_stock",
            ),
            models.CheckConstraint(condition=Q(reserved__gte=0), name="listing_reserved"),
        ]
        indexes = [
            # Who offers an article, read for every order from the index alone, in a network of thousands.
            models.Index(
                fields=["article", "status", "facility", "id", "reserved", "plain_units"],
                name="listing_offer",
            )
        ]
        verbose_name = _("listing")
        verbose_name_plural = _("listings")

    def __str__(self):
        return f"{self.article} · {self.facility}"


class StockQuerySet(LockingQuerySet):
    def at(self, facility):
        return self.filter(listing__facility=facility)

    def usable(self, today):
        """Stock a picker can take: on a pickable, accessible place (or none known), sound and not expired."""
        return self.filter(
            Q(location=None) | Q(location__is_pickable=True, location__is_accessible=True),
            Q(expires_on=None) | Q(expires_on__gte=today),
            is_defective=False,
        )


class Stock(Entity):
    """Units of a listing at one place. Written only by ``core.services.stock``, under the listing's lock."""

    listing = models.ForeignKey(
        Listing, on_delete=models.PROTECT, db_index=False, related_name="stocks"
    )  # stock_usable begins with it
    location = models.ForeignKey(
        StorageLocation,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="stocks",
    )
    value = models.PositiveIntegerField(_("units"), default=0)
    expires_on = models.DateField(_("expires on"), null=True, blank=True)
    is_defective = models.BooleanField(_("defective"), default=False)
    # What a program sent beside this (its own id, when the units came ...), kept and shown as it came.
    extra = models.JSONField(default=dict, blank=True, editable=False)

    objects = StockQuerySet.as_manager()

    class Meta(Entity.Meta):
        constraints = [
            models.UniqueConstraint(
                "listing",
                Coalesce("location", Value(_NOWHERE, models.UUIDField())),
                Coalesce("expires_on", Value(_NEVER, models.DateField())),
                "is_defective",
                name="stock_once",
            ),
            models.CheckConstraint(condition=Q(value__gte=0), name="stock_value"),
        ]
        indexes = [
            # What StockQuerySet.usable looks at, and the value: routing reads it from the index alone.
            models.Index(
                fields=["listing", "is_defective", "expires_on", "location", "value"], name="stock_usable"
            )
        ]
        verbose_name = _("stock")
        verbose_name_plural = _("stock")

    def __str__(self):
        return f"{self.listing.article.sku} · {self.location or '–'}: {self.value}"


class SafetyStock(Entity):
    """Units kept back from orders, at one facility or (no facility) at each."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="safety_stocks")
    facility = models.ForeignKey(
        Facility,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="safety_stocks",
    )
    value = models.PositiveIntegerField(_("units"))

    class Meta(Entity.Meta):
        constraints = [
            models.UniqueConstraint(fields=["article", "facility"], name="safety_stock_once"),
            models.UniqueConstraint(
                fields=["article"], condition=Q(facility=None), name="safety_stock_network_once"
            ),
        ]
        verbose_name = _("safety stock")
        verbose_name_plural = _("safety stock")

    def __str__(self):
        return f"{self.article}: {self.value}"


class StockMovement(models.Model):
    """One change of a Stock's value: the ledger whose sum per stock is its value."""

    class Kind(models.TextChoices):
        RECEIPT = "RECEIPT", _("Goods receipt")
        CORRECTION = "CORRECTION", _("Correction")
        IMPORT = "IMPORT", _("Import")
        PICK = "PICK", _("Picked")
        RETURN = "RETURN", _("Put back")

    stock = models.ForeignKey(Stock, on_delete=models.PROTECT, related_name="movements")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    delta = models.IntegerField(_("change"))
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    order_id = models.UUIDField(null=True, editable=False, db_index=True)
    at = models.DateTimeField(_("at"), default=timezone.now)
    by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["RECEIPT", "CORRECTION", "IMPORT", "PICK", "RETURN"]),
                name="movement_kind",
            )
        ]
        verbose_name = _("stock movement")
        verbose_name_plural = _("stock movements")

    def __str__(self):
        return f"{self.kind} {self.delta:+d}"
