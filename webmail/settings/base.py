"""Settings common to every place. Nothing here opens a connection or reads a secret of one installation."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from csp.constants import NONCE, NONE, SELF
from django.utils.translation import gettext_lazy as _

from . import env

BASE_DIR = Path(__file__).resolve().parent.parent.parent

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django_htmx",
    "template_partials",
    "csp",
    "accounts",
    "webmail",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "webmail.middleware.ResponseHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "webmail.middleware.Compression",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "webmail.middleware.SignInAgain",
    "webmail.middleware.PersonalSettings",
    "webmail.middleware.PasswordChangeRequired",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "webmail.urls"
ASGI_APPLICATION = "webmail.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "template_partials.templatetags.partials",
                "django_htmx.templatetags.django_htmx",
                "webmail.templatetags.mailroom",
            ],
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "webmail.templatetags.constant_parts.Loader",
                            [
                                "django.template.loaders.filesystem.Loader",
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
        },
    }
]

# People
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.PersonBackend"]
LOGIN_URL = "mail:signin"
LOGIN_REDIRECT_URL = "mail:home"
LOGOUT_REDIRECT_URL = "mail:signin"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_ENGINE = "accounts.sessions"
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = int(timedelta(days=14).total_seconds())
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "webmail.views.errors.csrf_failure"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# Language and time
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.text("MAILROOM_TIME_ZONE", "UTC")

# Static files: fingerprinted and compressed by WhiteNoise, cached for a year by browsers
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Headers and policy (security criteria S05, S42). Messages are shown through their own policy: webmail.render.document.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "media-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "worker-src": [SELF],
        "frame-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_NUMBER_FIELDS = 12_000  # a bulk form names every ticked conversation
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 2**20
FILE_UPLOAD_MAX_MEMORY_SIZE = 1 * 2**20  # larger uploads stream to disk
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]

# Celery: tasks take ids only, speak JSON only, and may run twice (Redis redelivers), so they are idempotent
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_RESULT_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False
CELERY_TASK_DEFAULT_QUEUE = "sync"
CELERY_TASK_ACKS_LATE = False  # Postgres is the schedule: what a dead worker dropped is found by the dispatcher's scan
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "health_check_interval": 25,
}

# Mail
MAILROOM: dict[str, Any] = {
    "SYNC_SLICE_SECONDS": 45,  # an account's pass yields after this long, so that none starves the others
    "LEASE_SECONDS": 120,
    "POLL_OPEN_SECONDS": 60,  # somebody has a page of the account open
    "POLL_ACTIVE_SECONDS": 300,  # its owner came by today
    "POLL_IDLE_SECONDS": 1800,
    "CARDS_ACTIVE_SECONDS": 900,  # address book servers of somebody who came by today
    "CARDS_IDLE_SECONDS": 3600,
    "UNDO_SEND_SECONDS": 10,
    "LIST_PAGE": 50,
    "UPLOAD_MAX_BYTES": 150 * 2**20,
    "NEWCOMER_RECIPIENTS_PER_HOUR": 500,  # of somebody who came within a day
    "RECIPIENTS_PER_HOUR": 2_000,
    "ORGANISATION_RECIPIENTS_PER_HOUR": 20_000,  # where an administrator sets no other
    "EGRESS": env.text("MAILROOM_EGRESS", ""),  # the address this process reaches mail servers from, if they differ
    "HELO_NAME": env.text("MAILROOM_HELO_NAME", "localhost"),
    # the port of this machine that answers for pictures below a reserved top-level name (test, example). Nobody can own
    # such a name, so this opens nothing to real mail; the demo and the tests set it, nothing else can
    "IMAGE_DETOURS": {},
    "FORBIDDEN_NETWORKS": [],  # refused as mail servers besides private ones: where the installation itself lies
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    # IMAPClient and imaplib log command lines at debug level; those hold addresses and passwords
    "loggers": {"imapclient": {"level": "WARNING"}, "django.server": {"level": "WARNING"}},
}
