"""Shipments, parcels and handovers to look at; they change by the steps of the business only."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from .models import BookingAttempt, HandoverJob, HandoverLine, Parcel, Shipment


class ReadOnly:
    """Shown, never written here."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class ParcelInline(ReadOnly, admin.TabularInline):
    model = Parcel
    fields = ("code", "status", "carrier", "tracking_number", "weight_g")
    show_change_link = True


class BookingAttemptInline(ReadOnly, admin.TabularInline):
    model = BookingAttempt
    fields = ("number", "reference", "outcome", "message", "started_at", "ended_at")


class HandoverLineInline(ReadOnly, admin.TabularInline):
    model = HandoverLine
    fields = ("title", "quantity", "handed_over", "refused")


@admin.register(Shipment)
class ShipmentAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("short_id", "order", "facility", "carrier", "status", "target_time", "created_at")
    list_filter = ("status", "facility", "carrier")
    list_select_related = ("order", "facility", "carrier")
    search_fields = ("=short_id", "order__tenant_order_id", "order__recipient_name", "=id")
    search_help_text = _("Short id, order number, recipient or id")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    inlines = (ParcelInline,)


@admin.register(Parcel)
class ParcelAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("code", "order", "facility", "carrier", "status", "tracking_number", "created_at")
    list_filter = ("status", "facility", "carrier")
    list_select_related = ("order", "facility", "carrier")
    search_fields = ("=code", "=tracking_number", "=return_tracking_number", "order__tenant_order_id", "=id")
    search_help_text = _("Code, tracking number, order number or id")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    inlines = (BookingAttemptInline,)


@admin.register(HandoverJob)
class HandoverJobAdmin(ReadOnly, admin.ModelAdmin):
    list_display = (
        "short_id",
        "order",
        "facility",
        "channel",
        "status",
        "recipient_name",
        "is_paid",
        "handed_over_at",
    )
    list_filter = ("status", "channel", "cancel_reason", "facility")
    list_select_related = ("order", "facility")
    search_fields = ("=short_id", "order__tenant_order_id", "recipient_name", "=parcel__code", "=id")
    search_help_text = _("Short id, order number, recipient, parcel code or id")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    inlines = (HandoverLineInline,)
