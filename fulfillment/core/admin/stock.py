"""Articles, listings and stock."""

from django import forms
from django.contrib import admin
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from ..models import (
    Article,
    ArticleCode,
    Listing,
    SafetyStock,
    Stock,
    StockMovement,
    Substitute,
)
from ..resources import ArticleResource, StockResource
from .base import (
    INTERNAL,
    ChangedFields,
    CsvAdmin,
    ListJSONField,
    ReadOnly,
)


class ArticleCodeInline(admin.TabularInline):
    model = ArticleCode
    extra = 1


class SafetyStockInline(admin.TabularInline):
    model = SafetyStock
    fields = ("facility", "value")
    autocomplete_fields = ("facility",)
    extra = 0


class SubstituteInline(admin.TabularInline):
    model = Substitute
    fk_name = "article"
    fields = ("priority", "substitute", "facility")
    autocomplete_fields = ("substitute", "facility")
    extra = 0


@admin.register(Article)
class ArticleAdmin(ChangedFields, CsvAdmin, admin.ModelAdmin):
    resource_classes = (ArticleResource,)
    exclude = INTERNAL
    list_display = ("sku", "title", "weight_g", "hs_code", "origin_country")
    list_filter = (("weight_g", admin.EmptyFieldListFilter), "origin_country")
    search_fields = ("sku", "title", "codes__code")
    search_help_text = _("SKU, title or code")
    inlines = (ArticleCodeInline, SubstituteInline, SafetyStockInline)
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}

    def get_export_queryset(self, request):
        return super().get_export_queryset(request).prefetch_related("codes")


class ListingForm(forms.ModelForm):
    scannable_codes = ListJSONField(label=_("Scannable codes here"))


@admin.register(Listing)
class ListingAdmin(ChangedFields, admin.ModelAdmin):
    form = ListingForm
    exclude = INTERNAL
    list_display = ("article", "facility", "status", "available", "reserved", "out_of_stock")
    list_filter = ("status", "out_of_stock", "facility")
    list_select_related = ("article", "facility")
    search_fields = ("article__sku", "article__title", "facility__name")
    autocomplete_fields = ("article", "facility")
    readonly_fields = ("reserved",)

    def get_queryset(self, request):
        return super().get_queryset(request).with_available(timezone.localdate())

    @admin.display(description=_("available"))
    def available(self, listing):
        return listing.available


class MovementInline(ReadOnly, admin.TabularInline):
    model = StockMovement
    fields = ("at", "kind", "delta", "reason", "by")
    extra = 0
    max_num = 0

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("by")


@admin.register(Stock)
class StockAdmin(ReadOnly, CsvAdmin, admin.ModelAdmin):
    """Values change by a receipt, a count or an import, never here: each change is a row of the ledger."""

    resource_classes = (StockResource,)
    fields = (
        "listing",
        "location",
        "value",
        "expires_on",
        "is_defective",
        "correction",
        "version",
        "modified_at",
    )
    readonly_fields = ("correction", "version", "modified_at")
    list_display = (
        "sku",
        "title",
        "facility",
        "location",
        "value",
        "expires_on",
        "condition",
        "correction",
    )
    list_filter = ("listing__facility", "is_defective", ("location", admin.EmptyFieldListFilter))
    list_select_related = ("listing__article", "listing__facility", "location")
    search_fields = ("listing__article__sku", "listing__article__title", "location__name")
    inlines = (MovementInline,)

    def get_export_queryset(self, request):
        # Defective units are not imported back, so they are not in the file either.
        return super().get_export_queryset(request).filter(is_defective=False).order_by("pk")

    @admin.display(description=_("SKU"), ordering="listing__article__sku")
    def sku(self, stock):
        return stock.listing.article.sku

    @admin.display(description=_("title"))
    def title(self, stock):
        return stock.listing.article.title

    @admin.display(description=_("facility"), ordering="listing__facility__name")
    def facility(self, stock):
        return stock.listing.facility

    @admin.display(description=_("defective"), ordering="is_defective")
    def condition(self, stock):
        return _("defective") if stock.is_defective else ""

    @admin.display(description=_("correction"))
    def correction(self, stock):
        address = reverse("core:stock-correct", args=[stock.listing.facility.slug, stock.pk])
        return format_html('<a href="{}">{}</a>', address, _("Correct"))


@admin.register(SafetyStock)
class SafetyStockAdmin(ChangedFields, admin.ModelAdmin):
    exclude = INTERNAL
    list_display = ("article", "facility", "value")
    list_filter = ("facility",)
    list_select_related = ("article", "facility")
    search_fields = ("article__sku", "article__title", "facility__name")
    autocomplete_fields = ("article", "facility")
