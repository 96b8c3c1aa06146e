import datetime
import functools
import hashlib
import secrets

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Permission(models.TextChoices):
    """What a role may allow. Gates test these, never the names of roles."""

    PICK = "PICK", _("Pick")
    PACK = "PACK", _("Pack")
    SHIP = "SHIP", _("Ship")
    HAND_OVER = "HAND_OVER", _("Hand over")
    RETURNS = "RETURNS", _("Take returns")
    STOCK = "STOCK", _("Receive and correct stock")
    SUPERVISE = "SUPERVISE", _("Supervise")
    ORDERS = "ORDERS", _("Manage orders")
    ROUTING = "ROUTING", _("See routing decisions")
    ROUTING_PUBLISH = "ROUTING_PUBLISH", _("Publish routing configuration")
    CONNECT = "CONNECT", _("Connect shops")


class UserManager(BaseUserManager["User"]):
    def create_user(self, email, password=None, **fields):
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save()
        return user

    def create_superuser(self, email, password=None, **fields):
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, email):
        return self.get(email__iexact=email)


class Theme(models.TextChoices):
    AUTO = "", _("As the device")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class TextSize(models.IntegerChoices):
    NORMAL = 100, _("Normal")
    LARGE = 125, _("Large")
    HUGE = 150, _("Very large")


class User(AbstractBaseUser, PermissionsMixin):
    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("may use the administration"), default=False)
    channel = models.ForeignKey(
        "core.Channel",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("sales channel"),
        help_text=_("Of the orders that this account imports through the API."),
    )
    # How the screens are for this person.
    language = models.CharField(_("language"), max_length=5, blank=True)
    theme = models.CharField(
        _("colours"), max_length=5, choices=Theme.choices, default=Theme.AUTO, blank=True
    )
    text_size = models.PositiveSmallIntegerField(
        _("size of the text"), choices=TextSize.choices, default=TextSize.NORMAL
    )
    is_left_handed = models.BooleanField(_("for the left hand"), default=False)
    has_sound = models.BooleanField(_("sounds"), default=True)
    has_vibration = models.BooleanField(_("vibration"), default=True)
    # For shared devices only, see ``core.services.pairing``.
    pin = models.CharField(max_length=128, blank=True, editable=False)
    badge_digest = models.CharField(max_length=64, null=True, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    # What a session is held to, whatever the roles allow: of somebody who came in with a badge or a PIN.
    limited_to: frozenset[str] | None = None

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            models.CheckConstraint(condition=Q(theme__in=["", "light", "dark"]), name="user_theme"),
            models.CheckConstraint(condition=Q(text_size__in=[100, 125, 150]), name="user_text_size"),
        ]

    def __str__(self):
        return self.name or self.email

    @functools.cached_property
    def granted(self):
        """What the roles allow, read once: ``{facility id or None for everywhere: {Permission}}``."""
        granted = {}
        for membership in self.memberships.select_related("role"):
            granted.setdefault(membership.facility_id, set()).update(membership.role.permissions)
        return granted

    def has_perm(self, perm, obj=None):
        """Who may use the administration may use all of it; the work at the facilities asks for roles instead."""
        if self.limited_to is not None:
            return False
        return (self.is_active and self.is_staff) or super().has_perm(perm, obj)

    def has_module_perms(self, app_label):
        if self.limited_to is not None:
            return False
        return (self.is_active and self.is_staff) or super().has_module_perms(app_label)


def validate_permissions(value):
    unknown = sorted(set(value) - set(Permission.values)) if isinstance(value, list) else [value]
    if unknown:
        raise ValidationError(
            _("Unknown permission %(unknown)s; allowed are %(allowed)s."),
            params={
                "unknown": ", ".join(map(str, unknown)),
                "allowed": ", ".join(Permission.values),
            },
        )


class Role(models.Model):
    """A named set of permissions. The presets picker, packer, supervisor and administrator come with the system."""

    key = models.SlugField(_("key"), unique=True)
    name = models.CharField(_("name"), max_length=60)
    permissions = models.JSONField(_("permissions"), default=list, validators=[validate_permissions])

    class Meta:
        ordering = ["name"]
        verbose_name = _("role")
        verbose_name_plural = _("roles")

    def __str__(self):
        return self.name


class Membership(models.Model):
    """A user has a role at one facility, or at all of them and network-wide when no facility is named."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="memberships")
    facility = models.ForeignKey(
        "core.Facility",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="memberships",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "role", "facility"],
                name="membership_once",
                violation_error_message=_("This user has this role there already."),
            ),
            models.UniqueConstraint(
                fields=["user", "role"],
                condition=Q(facility=None),
                name="membership_network_once",
                violation_error_message=_("This user has this role everywhere already."),
            ),
        ]
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")

    def __str__(self):
        where = self.facility or _("all facilities")
        return f"{self.user} · {self.role} · {where}"


class Channel(models.Model):
    """Where orders come from: a web shop, a marketplace, a till. Order numbers are unique within it.

    A sandbox is for trying: its orders are checked, kept and answered as any other, but no facility gets them, and
    its tokens may touch neither stock nor work.
    """

    key = models.SlugField(_("key"), unique=True)
    name = models.CharField(_("name"), max_length=100)
    is_sandbox = models.BooleanField(
        _("sandbox"),
        default=False,
        help_text=_("For trying: orders are accepted and answered, but never routed, picked or shipped."),
    )

    class Meta:
        ordering = ["name"]
        verbose_name = _("sales channel")
        verbose_name_plural = _("sales channels")

    def __str__(self):
        return self.name


class Secret:
    """A random text of 256 bits that is stored as its hash; one round is enough for so many. It ends or is revoked."""

    expires_at: datetime.datetime | None
    revoked_at: datetime.datetime | None

    def is_usable(self, now):
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)

    @staticmethod
    def hash(secret):
        return hashlib.sha256(secret.encode()).hexdigest()


class ApiToken(Secret, models.Model):
    """A bearer token of a sales channel."""

    class Scope(models.TextChoices):
        READ = "READ", _("Read")
        ORDERS = "ORDERS", _("Create and change orders")
        STOCK = "STOCK", _("Change facilities, listings and stock")
        OPERATIONS = "OPERATIONS", _("Pick, pack and ship")

    SANDBOX_SCOPES = frozenset({Scope.READ, Scope.ORDERS})

    name = models.CharField(_("name"), max_length=100)
    channel = models.ForeignKey(
        Channel,
        on_delete=models.PROTECT,
        related_name="tokens",
        verbose_name=_("sales channel"),
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(_("starts with"), max_length=12, editable=False)
    scopes = models.JSONField(_("scopes"), default=list)
    facilities = models.ManyToManyField(
        "core.Facility",
        blank=True,
        verbose_name=_("facilities"),
        help_text=_("None chosen: all facilities."),
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True, editable=False)

    is_authenticated = True  # what the API framework asks of a principal

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")

    def __str__(self):
        return f"{self.name} ({self.hint}…)"

    @property
    def is_sandbox(self):
        return self.channel.is_sandbox

    def issue(self):
        """Set digest and hint from a new secret and return the secret, which nobody can read again."""
        secret = f"ful_{'test_' if self.is_sandbox else ''}{secrets.token_urlsafe(32)}"
        self.digest, self.hint = self.hash(secret), secret[:10]
        return secret


class RefreshToken(Secret, models.Model):
    """What a program got when it signed in with a password: good for new access tokens until it ends or is revoked."""

    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="refresh_tokens", verbose_name=_("user")
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    password_stamp = models.CharField(max_length=16, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires at"), db_index=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("sign-in of a program")
        verbose_name_plural = _("sign-ins of programs")

    def __str__(self):
        return f"{self.user} · {self.created_at:%Y-%m-%d %H:%M}"


class PairedDevice(Secret, models.Model):
    """A device that several people share at a facility. Its cookie is the secret; there a badge or a PIN lets them in."""

    facility = models.ForeignKey("core.Facility", on_delete=models.CASCADE, related_name="devices")
    name = models.CharField(_("name"), max_length=60)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    lock_minutes = models.PositiveSmallIntegerField(
        _("locks after minutes"), default=5, validators=[MinValueValidator(1), MaxValueValidator(60)]
    )
    paired_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, editable=False)
    expires_at = None

    class Meta:
        ordering = ["name", "pk"]
        verbose_name = _("shared device")
        verbose_name_plural = _("shared devices")

    def __str__(self):
        return self.name
