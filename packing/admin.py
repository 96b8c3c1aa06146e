from django.contrib import admin

from fulfillment.core.admin.base import INTERNAL, ChangedFields, ReadOnly

from .models import BoxType, Package, PackJob, PackLine


class PackLineInline(ReadOnly, admin.TabularInline):
    model = PackLine
    fields = ("title", "article", "quantity")
    extra = 0


class PackageInline(ReadOnly, admin.TabularInline):
    model = Package
    fields = ("number", "code", "box_type", "weight_g")
    extra = 0


@admin.register(PackJob)
class PackJobAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("short_id", "facility", "order", "status", "editor", "target_time", "closed_at")
    list_filter = ("status", "kind", "facility")
    list_select_related = ("facility", "order", "editor")
    search_fields = ("short_id", "order__tenant_order_id", "order__recipient_name", "packages__code")
    inlines = (PackLineInline, PackageInline)


@admin.register(BoxType)
class BoxTypeAdmin(ChangedFields, admin.ModelAdmin):
    exclude = INTERNAL
    list_display = ("name", "facility", "length_mm", "width_mm", "height_mm", "tare_g", "most_g", "is_active")
    list_filter = ("is_active", "facility")
    list_select_related = ("facility",)
    search_fields = ("name", "facility__name")
    autocomplete_fields = ("facility",)
