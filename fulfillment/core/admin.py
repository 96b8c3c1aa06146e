"""The administration of master data. Statuses and stock are shown and changed through their services only."""

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import forms as auth_forms
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from import_export.admin import ImportExportMixin
from import_export.formats import base_formats
from import_export.forms import ImportForm
from import_export.tmp_storages import MediaStorage

from . import outbox
from .models import (
    ApiToken,
    Article,
    ArticleCode,
    Carrier,
    Channel,
    ClosingDay,
    Document,
    Facility,
    FacilityCarrier,
    Listing,
    Membership,
    OutboxEntry,
    Permission,
    RefreshToken,
    Role,
    SafetyStock,
    StatusChange,
    Stock,
    StockMovement,
    StorageLocation,
    User,
    Zone,
)
from .models.facility import default_services
from .resources import ArticleResource, FacilityResource, StockResource
from .services import facilities, tokens

LARGEST_IMPORT = 10 * 1024 * 1024  # bytes
INTERNAL = ("custom_attributes", "tags")

admin.site.unregister(Group)  # roles take the place of groups


class ReadOnly:
    """Shown, never written here."""

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class ChangedFields:
    """Saves only what the form changed: counters of the same row may move while somebody edits it."""

    def save_model(self, request, obj, form, change):
        if not change:
            super().save_model(request, obj, form, change)
            return
        columns = {field.name for field in obj._meta.concrete_fields}
        names = [name for name in form.changed_data if name in columns]
        if names and "version" in columns:
            obj.version += 1
            names += ["version", "modified_at"]
        if names:
            obj.save(update_fields=names)


class CsvImportForm(ImportForm):
    def clean_import_file(self):
        file = self.cleaned_data["import_file"]
        if file.size > LARGEST_IMPORT:
            raise ValidationError(
                _("The file is larger than %(most)s MB; import it in parts."),
                params={"most": LARGEST_IMPORT // 1024 // 1024},
            )
        return file


class CsvAdmin(ImportExportMixin):
    """Import by preview and confirmation, all or nothing; export guarded against formulas."""

    formats = (base_formats.CSV,)
    import_form_class = CsvImportForm
    import_template_name = "core/admin_import.html"
    skip_export_form = True  # one format, always all columns
    tmp_storage_class = MediaStorage  # the confirmation may reach another web process
    from_encoding = "utf-8-sig"
    to_encoding = "utf-8-sig"
    skip_admin_log = True  # services write their own log

    def has_import_permission(self, request):
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def has_export_permission(self, request):
        return self.has_view_permission(request)

    def get_import_data_kwargs(self, **kwargs):
        return {**super().get_import_data_kwargs(**kwargs), "rollback_on_validation_errors": True}

    def add_success_message(self, result, request):
        if result.has_errors() or result.has_validation_errors():
            messages.error(request, _("Nothing was imported: the data changed since the preview. Try again."))
        else:
            super().add_success_message(result, request)


class ListJSONField(forms.CharField):
    """A list of words, edited as text separated by commas."""

    def __init__(self, **options):
        options.setdefault("required", False)
        super().__init__(widget=forms.TextInput(attrs={"class": "vTextField"}), **options)

    def prepare_value(self, value):
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value):
        return [word.strip() for word in (value or "").split(",") if word.strip()]

    def has_changed(self, initial, data):
        return (initial or []) != self.to_python(data)


def choices_field(choices, label, **options):
    return forms.MultipleChoiceField(
        label=capfirst(label),
        choices=choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        **options,
    )


class FacilityForm(forms.ModelForm):
    services = choices_field(Facility.Service.choices, _("services"), initial=default_services)

    def clean_picking_times(self):
        return self.cleaned_data["picking_times"] or {}  # any empty JSON means: at no time


class ClosingDayInline(admin.TabularInline):
    model = ClosingDay
    extra = 0


class FacilityCarrierForm(forms.ModelForm):
    delivery_countries = ListJSONField(
        label=_("Delivers to"), help_text=_("Country codes separated by commas; none: everywhere.")
    )


class FacilityCarrierInline(admin.TabularInline):
    model = FacilityCarrier
    form = FacilityCarrierForm
    fields = ("carrier", "status", "priority", "cutoffs", "delivery_countries")
    extra = 0

    def formfield_for_dbfield(self, field, request, **kwargs):
        if field.name == "cutoffs":
            kwargs["widget"] = forms.Textarea(attrs={"rows": 2, "cols": 30})
        return super().formfield_for_dbfield(field, request, **kwargs)


@admin.register(Facility)
class FacilityAdmin(CsvAdmin, admin.ModelAdmin):
    form = FacilityForm
    resource_classes = (FacilityResource,)
    list_display = ("name", "tenant_facility_id", "status", "location_type", "city", "country")
    list_filter = ("status", "location_type", "country")
    search_fields = ("name", "tenant_facility_id", "slug", "city", "postal_code")
    readonly_fields = ("status", "version", "created_at", "modified_at")
    prepopulated_fields = {"slug": ("name",)}
    inlines = (ClosingDayInline, FacilityCarrierInline)
    actions = ("go_online", "suspend", "go_offline")
    fieldsets = (
        (None, {"fields": (("name", "tenant_facility_id"), "slug", ("status", "location_type"), "services")}),
        (
            _("Address"),
            {
                "fields": (
                    "company_name",
                    ("street", "house_number"),
                    ("postal_code", "city", "country"),
                    ("latitude", "longitude"),
                    ("phone", "email"),
                    "time_zone",
                )
            },
        ),
        (
            _("Work"),
            {
                "fields": (
                    "picking_times",
                    "fulfillment_buffer",
                    ("capacity_enabled", "capacity_planning_days"),
                    "zero_stock_on_short_pick",
                )
            },
        ),
        (_("Record"), {"fields": (("version", "created_at", "modified_at"),)}),
    )

    def get_readonly_fields(self, request, obj=None):
        return (*self.readonly_fields, "slug") if obj else self.readonly_fields

    def get_prepopulated_fields(self, request, obj=None):
        return {} if obj else self.prepopulated_fields

    def has_delete_permission(self, request, obj=None):
        return False  # its orders and stock need it; it goes offline instead

    def save_model(self, request, obj, form, change):
        step = {"by": request.user, "now": timezone.now()}
        if change:
            facilities.change(obj.pk, form.cleaned_data, **step)
        else:
            facilities.create(obj, **step)

    def _set_status(self, request, queryset, status):
        for facility in queryset:
            facilities.set_status(facility.pk, status, by=request.user, now=timezone.now())
        self.message_user(
            request,
            _("%(names)s: %(status)s.")
            % {"names": ", ".join(map(str, queryset)), "status": Facility.Status(status).label},
        )

    @admin.action(description=_("Take online"), permissions=["change"])
    def go_online(self, request, queryset):
        self._set_status(request, queryset, Facility.Status.ONLINE)

    @admin.action(description=_("Suspend (no new orders)"), permissions=["change"])
    def suspend(self, request, queryset):
        self._set_status(request, queryset, Facility.Status.SUSPENDED)

    @admin.action(description=_("Take offline"), permissions=["change"])
    def go_offline(self, request, queryset):
        self._set_status(request, queryset, Facility.Status.OFFLINE)


@admin.register(Zone)
class ZoneAdmin(ChangedFields, admin.ModelAdmin):
    exclude = INTERNAL
    list_display = ("name", "facility", "score")
    list_filter = ("facility",)
    list_select_related = ("facility",)
    search_fields = ("name", "facility__name")
    autocomplete_fields = ("facility",)


class StorageLocationForm(forms.ModelForm):
    scannable_codes = ListJSONField(
        label=_("Scannable codes"), help_text=_("At most five, separated by commas.")
    )

    def clean_scannable_codes(self):
        codes = self.cleaned_data["scannable_codes"]
        if len(codes) > 5:
            raise ValidationError(_("At most five codes."))
        return codes


@admin.register(StorageLocation)
class StorageLocationAdmin(ChangedFields, admin.ModelAdmin):
    form = StorageLocationForm
    exclude = INTERNAL
    list_display = ("name", "facility", "zone", "running_sequence", "type", "is_pickable", "is_accessible")
    list_filter = ("facility", "type", "is_pickable", "is_accessible")
    list_select_related = ("facility", "zone")
    search_fields = ("name", "facility__name", "scannable_codes")
    autocomplete_fields = ("facility", "zone")


@admin.register(Carrier)
class CarrierAdmin(ChangedFields, admin.ModelAdmin):
    exclude = INTERNAL
    list_display = ("name", "key", "status", "delivery_type", "adapter")
    list_filter = ("status", "delivery_type", "adapter")
    search_fields = ("name", "key")


class ArticleCodeInline(admin.TabularInline):
    model = ArticleCode
    extra = 1


class SafetyStockInline(admin.TabularInline):
    model = SafetyStock
    fields = ("facility", "value")
    autocomplete_fields = ("facility",)
    extra = 0


@admin.register(Article)
class ArticleAdmin(ChangedFields, CsvAdmin, admin.ModelAdmin):
    resource_classes = (ArticleResource,)
    exclude = INTERNAL
    list_display = ("sku", "title", "weight_g", "hs_code", "origin_country")
    list_filter = (("weight_g", admin.EmptyFieldListFilter), "origin_country")
    search_fields = ("sku", "title", "codes__code")
    search_help_text = _("SKU, title or code")
    inlines = (ArticleCodeInline, SafetyStockInline)
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
        "is_defective",
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


class MembershipInline(admin.TabularInline):
    model = Membership
    autocomplete_fields = ("facility",)
    extra = 0


class UserCreationForm(auth_forms.AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("email", "name")

    def clean_email(self):
        email = self.cleaned_data["email"].lower()
        if User.objects.filter(email__iexact=email).exists():
            raise ValidationError(_("There is a user with this e-mail address already."))
        return email


class UserChangeForm(auth_forms.UserChangeForm):
    class Meta:
        model = User
        fields = ("email", "name", "is_active", "is_staff", "is_superuser")

    def clean_email(self):
        email = self.cleaned_data["email"].lower()
        if User.objects.filter(email__iexact=email).exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("There is a user with this e-mail address already."))
        return email


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    form, add_form = UserChangeForm, UserCreationForm
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "memberships__role", "memberships__facility")
    search_fields = ("email", "name")
    ordering = ("email",)
    filter_horizontal = ()
    readonly_fields = ("last_login", "created_at")
    inlines = (MembershipInline,)
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        (_("Access"), {"fields": ("is_active", "is_staff", "is_superuser", "channel")}),
        (_("Record"), {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = (
        (
            None,
            {"classes": ("wide",), "fields": ("email", "name", "usable_password", "password1", "password2")},
        ),
    )

    def get_readonly_fields(self, request, obj=None):
        # Nobody gives what he does not have.
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, "is_superuser")

    def has_change_permission(self, request, obj=None):
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_delete_permission(request, obj)


class RoleForm(forms.ModelForm):
    permissions = choices_field(Permission.choices, _("permissions"))


@admin.register(Role)
class RoleAdmin(admin.ModelAdmin):
    form = RoleForm
    list_display = ("name", "key", "allowed")
    search_fields = ("name", "key")

    @admin.display(description=_("permissions"))
    def allowed(self, role):
        return ", ".join(str(Permission(name).label) for name in role.permissions)


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    list_display = ("user", "role", "facility")
    list_filter = ("role", "facility")
    list_select_related = ("user", "role", "facility")
    search_fields = ("user__email", "user__name", "facility__name")
    autocomplete_fields = ("user", "role", "facility")


@admin.register(Channel)
class ChannelAdmin(admin.ModelAdmin):
    list_display = ("name", "key", "is_sandbox")
    list_filter = ("is_sandbox",)
    search_fields = ("name", "key")

    def get_readonly_fields(self, request, obj=None):
        # Orders of a sandbox never had stock or work, those of a shop do: a channel stays what it is.
        return ("is_sandbox",) if obj else ()


class ApiTokenForm(forms.ModelForm):
    scopes = choices_field(ApiToken.Scope.choices, _("scopes"))

    def clean(self):
        data = super().clean()
        channel = data.get("channel")
        if channel and channel.is_sandbox and set(data["scopes"]) - ApiToken.SANDBOX_SCOPES:
            self.add_error("scopes", _("A sandbox token reads and sends orders; stock and work are real."))
        return data


@admin.register(RefreshToken)
class RefreshTokenAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("user", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    search_fields = ("user__email", "user__name")
    actions = ("revoke",)

    @admin.action(description=_("Revoke"), permissions=["revoke"])
    def revoke(self, request, queryset):
        count = queryset.filter(revoked_at=None).update(revoked_at=timezone.now())
        self.message_user(request, _("%(count)s revoked.") % {"count": count})

    def has_revoke_permission(self, request):
        return request.user.has_perm("core.change_refreshtoken")


@admin.register(ApiToken)
class ApiTokenAdmin(ChangedFields, admin.ModelAdmin):
    """The secret is shown once, after the token was made; only its hash is stored."""

    form = ApiTokenForm
    list_display = (
        "name",
        "channel",
        "hint",
        "sandbox",
        "usable",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    )
    list_filter = ("channel", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("channel",)
    search_fields = ("name", "hint", "channel__name")
    autocomplete_fields = ("channel", "facilities")
    readonly_fields = ("hint", "created_at", "revoked_at", "last_used_at")
    actions = ("revoke",)

    @admin.display(description=_("sandbox"), boolean=True, ordering="channel__is_sandbox")
    def sandbox(self, token):
        return token.is_sandbox

    @admin.display(description=_("usable"), boolean=True)
    def usable(self, token):
        expired = token.expires_at is not None and token.expires_at <= timezone.now()
        return token.revoked_at is None and not expired

    def has_delete_permission(self, request, obj=None):
        return False  # a token that was used stays in the log; it is revoked instead

    def save_model(self, request, obj, form, change):
        secret = None if change else obj.issue()
        super().save_model(request, obj, form, change)
        tokens.forget()
        if secret:
            self.message_user(
                request,
                format_html(
                    "{} <code>{}</code>",
                    _("Copy the secret of %(name)s now; it is not shown again:") % {"name": obj.name},
                    secret,
                ),
                messages.WARNING,
            )

    @admin.action(description=_("Revoke"), permissions=["change"])
    def revoke(self, request, queryset):
        count = tokens.revoke(queryset, now=timezone.now())
        self.message_user(request, _("%(count)s tokens revoked.") % {"count": count})


@admin.register(StatusChange)
class StatusChangeAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("at", "entity", "action", "before", "after", "actor", "reason")
    list_filter = ("entity", "after", "at")
    list_select_related = ("by",)
    search_fields = ("=entity_id", "=order_id", "actor", "reason")
    search_help_text = _("Id of the thing or of its order, person, reason")
    show_full_result_count = False


@admin.register(OutboxEntry)
class OutboxEntryAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("pk", "event", "handler", "lane", "state", "attempts", "due_at", "last_error")
    list_filter = ("state", "lane", "event", "handler")
    search_fields = ("event", "handler", "last_error")
    show_full_result_count = False
    actions = ("retry",)

    @admin.action(description=_("Try again now"), permissions=["retry"])
    def retry(self, request, queryset):
        count = outbox.retry(list(queryset.values_list("pk", flat=True)))
        self.message_user(request, _("%(count)s failed entries are due again.") % {"count": count})

    def has_retry_permission(self, request):
        return request.user.has_perm("core.change_outboxentry")


@admin.register(Document)
class DocumentAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("name", "category", "format", "facility", "size", "created_at")
    list_filter = ("category", "format", "facility")
    list_select_related = ("facility",)
    search_fields = ("name", "=order_id", "sha256")
    show_full_result_count = False
