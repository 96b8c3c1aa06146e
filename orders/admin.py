from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from fulfillment.core.admin import ReadOnly
from orders.models import Order, OrderLine, ParcelRecord


class OrderLineInline(ReadOnly, admin.TabularInline):
    model = OrderLine
    fields = ("position", "sku", "title", "quantity", "article")
    extra = 0


class ParcelRecordInline(ReadOnly, admin.TabularInline):
    model = ParcelRecord
    fields = ("facility", "carrier_key", "tracking_number", "recorded_at", "handed_over_at")
    extra = 0


@admin.register(Order)
class OrderAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("__str__", "channel", "status", "kind", "recipient_name", "country", "order_date")
    list_filter = ("status", "kind", "service_level", "channel", "country", "order_date")
    list_select_related = ("channel",)
    search_fields = ("tenant_order_id", "recipient_name", "lines__sku", "id", "process_id")
    search_help_text = _("Number, recipient, SKU or id")
    date_hierarchy = "order_date"
    ordering = ("-id",)
    inlines = (OrderLineInline, ParcelRecordInline)
    readonly_fields = ("progress",)

    @admin.display(description=_("progress"))
    def progress(self, order):
        url = reverse("overview:order-detail", args=[order.pk])
        return format_html('<a href="{}">{}</a>', url, _("Show progress and history"))
