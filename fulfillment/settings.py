"""All settings. Values come from the environment; the default is the embedded mode.

Embedded: SQLite and file-based broker under ``VAR_DIR``, a generated secret key, local addresses only.
Production (``PRODUCTION=true``): every insecure or missing value stops the start with one sentence.
"""

import os
import zoneinfo
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key
from kombu import Queue

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name, default=""):
    return os.environ.get(name, default).strip()


def env_bool(name, default=False):
    value = env(name, "true" if default else "false").lower()
    if value not in {"true", "false", "1", "0", "yes", "no"}:
        raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
    return value in {"true", "1", "yes"}


def env_int(name, default):
    value = env(name, str(default))
    if not value.isdigit():
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.")
    return int(value)


def env_list(name, default=""):
    return [item.strip() for item in env(name, default).split(",") if item.strip()]


PRODUCTION = env_bool("PRODUCTION")
DEBUG = env_bool("DEBUG")
VAR_DIR = Path(env("VAR_DIR") or BASE_DIR / "var")


def required(name, why):
    value = env(name)
    if not value and PRODUCTION:
        raise ImproperlyConfigured(f"{name} must be set in production: {why}.")
    return value


def embedded_secret_key():
    """A key of this installation's own, made on the first start and kept beside the database."""
    path = VAR_DIR / "secret_key"
    if not path.exists():
        VAR_DIR.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(get_random_secret_key())
        except FileExistsError:
            pass  # another process of the same start was faster
    return path.read_text()


# Security
SECRET_KEY = required("SECRET_KEY", "a random text of at least 50 characters") or embedded_secret_key()
# Earlier keys: what they signed stays good until they are taken out.
SECRET_KEY_FALLBACKS = env_list("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "" if PRODUCTION else "localhost,127.0.0.1,[::1]")
if PRODUCTION:
    if DEBUG:
        raise ImproperlyConfigured("DEBUG must not be on in production.")
    if len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 5 or SECRET_KEY.startswith("django-insecure"):
        raise ImproperlyConfigured(
            "SECRET_KEY must be a random text of at least 50 characters in production."
        )
    if not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS:
        raise ImproperlyConfigured(
            "ALLOWED_HOSTS must name the host names of this installation in production."
        )
HTTPS = env_bool("HTTPS", PRODUCTION)
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS")
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env_bool("BEHIND_TLS_PROXY", PRODUCTION) else None
)
SECURE_SSL_REDIRECT = PRODUCTION and HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = env_int("SECURE_HSTS_SECONDS", 31536000 if PRODUCTION else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 60 * 60 * 12
X_FRAME_OPTIONS = "SAMEORIGIN"  # a label is printed from a frame of our own page
SILENCED_SYSTEM_CHECKS = ["security.W019"]  # it wants DENY
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [SELF],
    }
}

# Application
INSTALLED_APPS = [
    "fulfillment.apps.FulfillmentConfig",
    "fulfillment.core",
    "orders",
    "orders.sources",
    "routing",
    "picking",
    "packing",
    "shipping",
    "fulfillment.overview",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_countries",  # only for the names of countries in other languages
    "django_htmx",
    "import_export",
    "csp",
    "template_partials",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "fulfillment.middleware.RequestIdMiddleware",
    "fulfillment.middleware.ApiErrorMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "fulfillment.core.middleware.PersonMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "fulfillment.middleware.RefusalMiddleware",
]
ROOT_URLCONF = "fulfillment.urls"
WSGI_APPLICATION = "fulfillment.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "fulfillment.core.context_processors.staff",
            ]
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
AUTH_USER_MODEL = "core.User"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview:home"
LOGOUT_REDIRECT_URL = "login"
CSRF_FAILURE_VIEW = "picking.views.csrf_failure"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
BULK_MAX_BYTES = env_int("BULK_MAX_BYTES", 200 * 1024 * 1024)  # of a body of POST /api/orders/bulk
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# Database
DATABASE_URL = required("DATABASE_URL", "postgres://user:password@host:5432/name")
if PRODUCTION and not DATABASE_URL.startswith(("postgres://", "postgresql://")):
    raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL database in production.")
if DATABASE_URL.startswith(("postgres://", "postgresql://")):
    DATABASES = {"default": dj_database_url.parse(DATABASE_URL)}
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
        "min_size": 1,
        "max_size": env_int("DATABASE_POOL_SIZE", 8),
        "timeout": 10,
    }
    # The default of 4 is for spinning disks: routing would read the whole stock table instead of its index.
    DATABASES["default"]["OPTIONS"].setdefault("options", "-c random_page_cost=1.1")
elif DATABASE_URL:
    raise ImproperlyConfigured(
        "DATABASE_URL must start with postgres:// (leave it empty for the embedded SQLite file)."
    )
else:
    VAR_DIR.mkdir(parents=True, exist_ok=True)
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": VAR_DIR / "fulfillment.sqlite3",
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Background work: one queue per lane, so that slow work of one kind never delays another.
LANES = ["routing", "labels", "webhooks", "reports", "bulk", "sources"]
CELERY_BROKER_URL = required("CELERY_BROKER_URL", "redis://host:6379/0")
if PRODUCTION and not CELERY_BROKER_URL.startswith(("redis://", "rediss://")):
    raise ImproperlyConfigured("CELERY_BROKER_URL must name a Redis server in production.")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_QUEUES = [Queue(name, routing_key=name) for name in ["default", *LANES]]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = "UTC"
if CELERY_BROKER_URL:
    CELERY_BROKER_TRANSPORT_OPTIONS = {"global_keyprefix": env("CELERY_KEY_PREFIX", "fulfillment:")}
else:
    CELERY_BROKER_URL = "filesystem://localhost//"
    CELERY_BROKER_TRANSPORT = "fulfillment.broker:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(VAR_DIR / "broker"),
        "data_folder_out": str(VAR_DIR / "broker"),
        "control_folder": str(VAR_DIR / "broker-control"),
        "polling_interval": 0.1,
    }
    for folder in ("broker", "broker-control"):
        (VAR_DIR / folder).mkdir(parents=True, exist_ok=True)
# name: (task, every so many seconds, queue)
_SCHEDULE = {
    "sweep-outbox": ("fulfillment.core.tasks.sweep", 5, "default"),
    "forget-old-rows": ("fulfillment.core.tasks.forget_old", 3600, "default"),
    "expire-promises": ("orders.tasks.expire_promises", 30, "default"),
    "forget-bulks": ("orders.tasks.forget_bulks", 3600, "default"),
    "deliver-webhooks": ("fulfillment.overview.tasks.deliver_webhooks", 5, "webhooks"),
    "forget-old-events": ("fulfillment.overview.tasks.forget_old_events", 3600, "default"),
    "reroute-late-plans": ("routing.tasks.reroute_late", 300, "routing"),
    "fall-back-late-plans": ("routing.tasks.fall_back_late", 60, "routing"),
    "retry-by-clock": ("routing.tasks.retry_by_clock", 300, "routing"),
    "reroute-idle-jobs": ("picking.tasks.reroute_idle", 300, "routing"),
    "release-abandoned-work": ("picking.tasks.release_abandoned", 60, "default"),
    "release-pack-jobs": ("packing.tasks.release_lost", 60, "default"),
    "give-up-old-plans": ("routing.tasks.give_up_old", 300, "routing"),
    "work-inbox": ("orders.sources.tasks.work_inbox", 5, "sources"),
    "poll-sources": ("orders.sources.tasks.poll_due", 15, "default"),
    "drain-queues-of-sources": ("orders.sources.tasks.drain_due", 20, "default"),
    "push-stock-to-sources": ("orders.sources.tasks.push_due", 30, "default"),
    "forget-old-deliveries": ("orders.sources.tasks.forget_old", 3600, "default"),
    "poll-tracking": ("shipping.tasks.poll_tracking", 300, "reports"),
    "compare-bookings": ("shipping.tasks.compare_bookings", 3600, "reports"),
    "expire-pickups": ("shipping.tasks.expire_pickups", 900, "default"),
}
CELERY_BEAT_SCHEDULE = {
    # What nobody took until the next one is due is dropped.
    **{
        name: {"task": task, "schedule": float(seconds), "options": {"expires": seconds, "queue": queue}}
        for name, (task, seconds, queue) in _SCHEDULE.items()
    },
    "heartbeat": {"task": "fulfillment.core.tasks.beat", "schedule": 10.0, "options": {"expires": 30}},
}
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")

CACHE_URL = env("CACHE_URL") or (
    CELERY_BROKER_URL if urlsplit(CELERY_BROKER_URL).scheme in {"redis", "rediss"} else ""
)
CACHES = {
    "default": (
        {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": CACHE_URL,
            "KEY_PREFIX": env("CACHE_KEY_PREFIX", "fulfillment"),
        }
        if CACHE_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

# Language and time
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
USE_I18N = True
LOCALE_PATHS = [BASE_DIR / "fulfillment/locale"]
FORMAT_MODULE_PATH = ["fulfillment.formats"]
USE_TZ = True
# Of the pages that show the whole network; those of a facility show the time there.
TIME_ZONE = env("TIME_ZONE") or "Europe/Berlin"
if TIME_ZONE not in zoneinfo.available_timezones():
    raise ImproperlyConfigured(
        f"TIME_ZONE must be the name of a time zone like Europe/Amsterdam, not {TIME_ZONE!r}."
    )

# Files
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = Path(env("DOCUMENT_DIR") or VAR_DIR / "documents")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION
if not PRODUCTION:
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)

# API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["fulfillment.core.api.auth.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "fulfillment.core.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Fulfillment",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api",
    "POSTPROCESSING_HOOKS": ["fulfillment.core.api.document.add_components"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

API_REQUESTS_PER_MINUTE = env_int("API_REQUESTS_PER_MINUTE", 6000)  # of one token or person

# E-mails to customers; without a server they are written to a folder, in production not sent at all.
EMAIL_HOST = env("EMAIL_HOST")
EMAIL_PORT = env_int("EMAIL_PORT", 587)
EMAIL_HOST_USER = env("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env_bool("EMAIL_USE_TLS", True)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL") or "fulfillment@localhost"
EMAIL_FILE_PATH = VAR_DIR / "mails"
EMAIL_BACKEND = "django.core.mail.backends." + (
    "smtp.EmailBackend" if EMAIL_HOST else "dummy.EmailBackend" if PRODUCTION else "filebased.EmailBackend"
)

# The business
# Subscribers on this machine, also without https: for development only.
WEBHOOK_LOOPBACK_ALLOWED = env_bool("WEBHOOK_LOOPBACK_ALLOWED", not PRODUCTION)
# Carriers on this machine, also without https: for tests and development only.
CARRIER_LOOPBACK_ALLOWED = env_bool("CARRIER_LOOPBACK_ALLOWED", not PRODUCTION)
FORCE_CANCEL_ALLOWED = env_bool("FORCE_CANCEL_ALLOWED", False)
GS1_COMPANY_PREFIX = env("GS1_COMPANY_PREFIX")
DEMO_CARRIER_ALLOWED = env_bool("DEMO_CARRIER_ALLOWED", not PRODUCTION)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"refused": {"()": "fulfillment.logs.RefusedInOneLine"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", "INFO")},
    "loggers": {
        "weasyprint": {"level": "ERROR"},
        "fontTools": {"level": "ERROR"},
        "httpx": {"level": "WARNING"},
        "django.request": {"filters": ["refused"]},
    },
}
