from django.contrib import admin

from fulfillment.core.admin import ReadOnly

from .models import BookingAttempt, HandoverJob, HandoverLine, Parcel, Shipment


class ParcelInline(ReadOnly, admin.TabularInline):
    model = Parcel
    fields = ("code", "carrier", "status", "tracking_number", "weight_g")
    extra = 0


class AttemptInline(ReadOnly, admin.TabularInline):
    model = BookingAttempt
    fields = ("number", "outcome", "message", "started_at", "ended_at")
    extra = 0


class HandoverLineInline(ReadOnly, admin.TabularInline):
    model = HandoverLine
    fields = ("title", "quantity", "handed_over")
    extra = 0


@admin.register(Shipment)
class ShipmentAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("short_id", "facility", "order", "status", "carrier", "target_time")
    list_filter = ("status", "carrier", "facility")
    list_select_related = ("facility", "order", "carrier")
    search_fields = ("short_id", "order__tenant_order_id", "order__recipient_name")
    inlines = (ParcelInline,)


@admin.register(Parcel)
class ParcelAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("code", "facility", "order", "carrier", "status", "tracking_number")
    list_filter = ("status", "carrier", "facility")
    list_select_related = ("facility", "order", "carrier")
    search_fields = ("code", "tracking_number", "return_tracking_number", "order__tenant_order_id")
    inlines = (AttemptInline,)


@admin.register(HandoverJob)
class HandoverJobAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("short_id", "facility", "order", "channel", "status", "handed_over_at")
    list_filter = ("status", "channel", "facility")
    list_select_related = ("facility", "order")
    search_fields = ("short_id", "order__tenant_order_id", "recipient_name")
    inlines = (HandoverLineInline,)
