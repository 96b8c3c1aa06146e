"""People with their roles; sales channels with their tokens."""

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import forms as auth_forms
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from ..models import (
    ApiToken,
    Channel,
    Membership,
    Permission,
    RefreshToken,
    Role,
    User,
)
from ..services import tokens
from .base import (
    ChangedFields,
    ReadOnly,
    choices_field,
)

admin.site.unregister(Group)  # roles take the place of groups


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
