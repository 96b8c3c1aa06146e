"""How facilities book at carriers; shipments, parcels and handovers to look at, which change by their steps only."""

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from fulfillment.core.admin.base import choices_field
from fulfillment.core.encryption import UnreadableSecret
from fulfillment.core.models import Carrier, FacilityCarrier
from fulfillment.core.services import documents

from .carriers import ADAPTERS, UnknownAdapter, adapter_of
from .logos import read_logo
from .models import (
    BookingAttempt,
    CarrierConnection,
    HandoverJob,
    HandoverLine,
    ItemReturn,
    MessageText,
    PaperRule,
    PaperSettings,
    PaperText,
    Parcel,
    PickupSettings,
    ReturnCondition,
    ReturnedItem,
    ReturnJob,
    ReturnJobLine,
    ReturnReason,
    Shipment,
    TrackEvent,
)
from .models.papers import CHOSEN, CHOSEN_TO_COLLECT, default_kinds, default_kinds_to_collect

CREDENTIAL = "credential_"


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
    fields = ("title", "quantity", "handed_over", "refused", "missing")


class TrackEventInline(ReadOnly, admin.TabularInline):
    model = TrackEvent
    fields = ("happened_at", "status", "carrier_status", "description", "location", "source")


class NewConnectionForm(forms.ModelForm):
    adapter = forms.ChoiceField(
        label=_("Adapter"), choices=sorted((key, adapter.label) for key, adapter in ADAPTERS.items())
    )

    class Meta:
        model = CarrierConnection
        fields = ("link", "adapter")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["link"].queryset = FacilityCarrier.objects.filter(connection=None).select_related(
            "facility", "carrier"
        )
        self.fields["link"].help_text = _("Add the carrier to the facility first, with its cut-offs.")

    def save(self, commit=True):
        self.instance.base_url = ADAPTERS[self.cleaned_data["adapter"]].default_url
        return super().save(commit)


class ConnectionForm(forms.ModelForm):
    """Credentials are written here and never shown again; a field left empty keeps what is stored."""

    base_url = CarrierConnection._meta.get_field("base_url").formfield(assume_scheme="https")
    status = forms.ChoiceField(label=_("Status"), choices=Carrier.Status.choices)
    priority = forms.IntegerField(
        label=_("Priority"), min_value=0, max_value=32767, help_text=_("1 is tried first.")
    )

    class Meta:
        model = CarrierConnection
        fields = ("base_url", "label_format", "products", "delivery_areas")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.initial |= {"status": self.instance.link.status, "priority": self.instance.link.priority}
        try:
            stored = self.instance.credentials
        except UnreadableSecret:
            stored = {}
        for one in _credentials_of(self.instance):
            self.fields[CREDENTIAL + one.name] = forms.CharField(
                label=one.label,
                required=False,
                max_length=500,
                widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"}),
                help_text=_("Stored. Leave empty to keep it.")
                if stored.get(one.name)
                else _("Not stored yet."),
            )

    def clean_products(self):
        return self.cleaned_data["products"] or []

    def clean_delivery_areas(self):
        return self.cleaned_data["delivery_areas"] or []

    def save(self, commit=True):
        given = {
            name.removeprefix(CREDENTIAL): value
            for name, value in self.cleaned_data.items()
            if name.startswith(CREDENTIAL) and value
        }
        if given:
            try:
                stored = self.instance.credentials
            except UnreadableSecret:
                stored = {}
            self.instance.credentials = {**stored, **given}
        self.instance.version += 1
        return super().save(commit)


def _credentials_of(connection):
    adapter = ADAPTERS.get(connection.adapter)
    return adapter.credentials if adapter else ()


@admin.register(CarrierConnection)
class CarrierConnectionAdmin(admin.ModelAdmin):
    list_display = ("link", "adapter", "label_format", "is_active", "priority")
    list_filter = ("adapter", "link__carrier", "link__facility")
    list_select_related = ("link__facility", "link__carrier")
    search_fields = ("link__facility__name", "link__carrier__name", "link__carrier__key")
    change_form_template = "admin/shipping/connection_change.html"

    def get_queryset(self, request):
        return super().get_queryset(request).for_booking()

    def get_form(self, request, obj=None, change=False, **options):
        return ConnectionForm if obj else NewConnectionForm

    def get_fieldsets(self, request, obj=None):
        if obj is None:
            return ((None, {"fields": ("link", "adapter")}),)
        credentials = [CREDENTIAL + one.name for one in _credentials_of(obj)]
        return (
            (None, {"fields": ("link", "adapter", ("status", "priority"))}),
            (_("Account"), {"fields": ("base_url", *credentials)}),
            (_("Labels"), {"fields": ("label_format", "products", "delivery_areas")}),
            (_("Messages of the carrier"), {"fields": ("hook",)}),
        )

    def get_readonly_fields(self, request, obj=None):
        return ("link", "adapter", "hook") if obj else ()

    @admin.display(description=_("active"), boolean=True)
    def is_active(self, connection):
        return connection.link.is_active

    @admin.display(description=_("priority"), ordering="link__priority")
    def priority(self, connection):
        return connection.link.priority

    @admin.display(description=_("address"))
    def hook(self, connection):
        adapter = ADAPTERS.get(connection.adapter)
        if adapter is None or "webhook" not in adapter.capabilities:
            return _("This carrier is asked where its parcels are.")
        return reverse("carrier-hook", args=[connection.pk])

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        adapter = ADAPTERS.get(obj.adapter) if obj else None
        context["has_webhook"] = adapter is not None and "webhook" in adapter.capabilities
        context["may_check"] = obj is not None and self.has_change_permission(request, obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        link = obj.link
        if change and {"status", "priority"} & set(form.changed_data):
            link.status, link.priority = form.cleaned_data["status"], form.cleaned_data["priority"]
            link.version += 1
            link.save(update_fields=["status", "priority", "version", "modified_at"])

    def response_add(self, request, obj, post_url_continue=None):
        self.message_user(request, _("Now enter the account of the carrier."), messages.INFO)
        return HttpResponseRedirect(reverse("admin:shipping_carrierconnection_change", args=[obj.pk]))

    def response_change(self, request, obj):
        if "_check" in request.POST:
            self._check(request, obj)
        elif "_renew_secret" in request.POST:
            secret = obj.renew_webhook_secret()
            obj.save(update_fields=["encrypted_webhook_secret", "modified_at"])
            words = _("Copy the secret of %(name)s now; it is not shown again:") % {"name": obj}
            self.message_user(request, format_html("{} <code>{}</code>", words, secret), messages.WARNING)
        else:
            return super().response_change(request, obj)
        return HttpResponseRedirect(request.path)

    def _check(self, request, connection):
        try:
            problems = adapter_of(connection).check_config()
        except UnreadableSecret:
            problems = [_("The credentials were stored with another SECRET_KEY. Enter them again.")]
        except UnknownAdapter as refusal:
            problems = [refusal.message]
        for problem in problems:
            self.message_user(request, problem, messages.ERROR)
        if not problems:
            self.message_user(request, _("%(connection)s works.") % {"connection": connection})


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
    inlines = (BookingAttemptInline, TrackEventInline)


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


class LogoField(forms.FileField):
    """A picture, judged by its content and drawn anew: what is kept is a PNG of ours, whatever was sent."""

    def clean(self, data, initial=None):
        file = super().clean(data, initial)
        return read_logo(file) if file else None


class PaperSettingsForm(forms.ModelForm):
    kinds = choices_field([(kind.value, kind.label) for kind in CHOSEN], _("papers"), initial=default_kinds)
    kinds_to_collect = choices_field(
        [(kind.value, kind.label) for kind in CHOSEN_TO_COLLECT],
        _("papers of what is collected"),
        initial=default_kinds_to_collect,
    )
    logo = LogoField(
        label=_("Logo"), required=False, help_text=_("PNG, JPEG or GIF of at most 1 MB; empty: as it is.")
    )
    without_logo = forms.BooleanField(label=_("Without a logo"), required=False)

    def save(self, commit=True):
        if self.cleaned_data["logo"]:
            self.instance.logo_sha256 = documents.keep(self.cleaned_data["logo"])
        elif self.cleaned_data["without_logo"]:
            self.instance.logo_sha256 = ""
        return super().save(commit)


class PaperRuleForm(forms.ModelForm):
    kinds = choices_field([(kind.value, kind.label) for kind in CHOSEN], _("papers"), initial=default_kinds)


class PaperTextInline(admin.StackedInline):
    model = PaperText
    extra = 0


class PaperRuleInline(admin.TabularInline):
    model = PaperRule
    form = PaperRuleForm
    extra = 0


@admin.register(PaperSettings)
class PaperSettingsAdmin(admin.ModelAdmin):
    form = PaperSettingsForm
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    list_display = ("__str__", "kinds", "shows_prices", "has_logo")
    list_select_related = ("channel",)
    inlines = (PaperTextInline, PaperRuleInline)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "channel",
                    "kinds",
                    "kinds_to_collect",
                    "shows_prices",
                    ("logo", "without_logo"),
                    "returns_page",
                    "seller",
                )
            },
        ),
        (
            _("Customs"),
            {
                "fields": (
                    ("vat_number", "eori_number"),
                    "signer",
                    ("incoterm", "export_reason"),
                    "sdr_values",
                )
            },
        ),
    )

    @admin.display(description=_("logo"), boolean=True)
    def has_logo(self, settings):
        return bool(settings.logo_sha256)


@admin.register(PickupSettings)
class PickupSettingsAdmin(admin.ModelAdmin):
    list_display = (
        "__str__",
        "asks_for_code",
        "asks_for_packages",
        "asks_for_id",
        "asks_for_age",
        "asks_for_signature",
        "days_to_collect",
    )
    list_select_related = ("facility",)


@admin.register(MessageText)
class MessageTextAdmin(admin.ModelAdmin):
    list_display = ("kind", "language", "channel", "subject")
    list_filter = ("kind", "language", "channel")
    list_select_related = ("channel",)


@admin.register(ReturnReason)
class ReturnReasonAdmin(admin.ModelAdmin):
    list_display = ("name", "name_de", "key", "position", "is_active")


@admin.register(ReturnCondition)
class ReturnConditionAdmin(admin.ModelAdmin):
    list_display = ("name", "name_de", "key", "outcome", "refund_percent", "position", "is_active")
    list_filter = ("outcome",)


class ReturnJobLineInline(ReadOnly, admin.TabularInline):
    model = ReturnJobLine
    fields = ("title", "delivered", "returned", "is_returnable")


class ItemReturnInline(ReadOnly, admin.TabularInline):
    model = ItemReturn
    fields = ("facility", "status", "opened_at", "finished_at")
    show_change_link = True


class ReturnedItemInline(ReadOnly, admin.TabularInline):
    model = ReturnedItem
    fields = ("line", "reason", "condition", "verdict", "decision_reason", "place", "refund_amount")


@admin.register(ReturnJob)
class ReturnJobAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("short_id", "order", "facility", "status", "created_at")
    list_filter = ("status", "facility")
    list_select_related = ("order", "facility")
    search_fields = ("=short_id", "order__tenant_order_id", "order__recipient_name", "=id")
    search_help_text = _("Short id, order number, recipient or id")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    inlines = (ReturnJobLineInline, ItemReturnInline)


@admin.register(ItemReturn)
class ItemReturnAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("__str__", "order", "facility", "status", "opened_at", "finished_at")
    list_filter = ("status", "facility")
    list_select_related = ("job", "order", "facility")
    search_fields = ("=job__short_id", "order__tenant_order_id", "order__recipient_name", "=id")
    search_help_text = _("Short id, order number, recipient or id")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    inlines = (ReturnedItemInline,)
