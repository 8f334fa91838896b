"""Settings of a running installation, demo included: every secret and address comes from the environment."""

from pathlib import Path

from csp.constants import SELF
from django.core.exceptions import ImproperlyConfigured

from . import env, sessions
from .base import *  # noqa: F403 - settings modules are layered this way in Django
from .base import CONTENT_SECURITY_POLICY, MAILROOM

DEBUG = False
SECRET_KEY = env.text("MAILROOM_SECRET_KEY")
SITE_URL = env.text("MAILROOM_SITE_URL").rstrip("/")
ALLOWED_HOSTS = env.words("MAILROOM_ALLOWED_HOSTS", [])
CSRF_TRUSTED_ORIGINS = [SITE_URL]
# where message bodies are shown; empty means the same host, where the header's sandbox keeps the origin opaque
CONTENT_ORIGIN = env.text("MAILROOM_CONTENT_ORIGIN", "").rstrip("/")

DATABASES = {"default": env.database("MAILROOM_DATABASE_URL")}
DATABASES["default"]["OPTIONS"] = {
    "options": sessions.limits(env.text("MAILROOM_ROLE", "worker")),
    "pool": {"min_size": 1, "max_size": env.integer("MAILROOM_DATABASE_POOL", 12), "timeout": 10},
}
REDIS_URL = env.text("MAILROOM_REDIS_URL")
CELERY_BROKER_URL = env.text("MAILROOM_BROKER_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "cache",
        "OPTIONS": {"serializer": "webmail.cache.JSONSerializer", "socket_timeout": 2, "socket_connect_timeout": 2},
    }
}
# keys that seal mail credentials, the current one first; a file is made at first start with mode 0600
KEY_SECRETS = [env.secret_file(Path(name)) for name in env.words("MAILROOM_KEY_FILE", [])]
if not KEY_SECRETS:
    raise ImproperlyConfigured(
        "MAILROOM_KEY_FILE is not set. It names the file with the key that seals mail passwords."
    )
STATIC_ROOT = env.text("MAILROOM_STATIC_DIR", "staticfiles")
STORAGES = {
    "default": {
        "BACKEND": "webmail.storage.WholeFiles",
        "OPTIONS": {"location": env.text("MAILROOM_STORAGE_DIR"), "file_permissions_mode": 0o600},
    },
    "staticfiles": {"BACKEND": "webmail.staticfiles.FingerprintedFiles"},
}

# only for loopback: cookies without Secure, no redirect to https
INSECURE_HTTP = env.boolean("MAILROOM_INSECURE_HTTP", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not INSECURE_HTTP
SESSION_COOKIE_NAME = "mailroom_session" if INSECURE_HTTP else "__Host-session"
CSRF_COOKIE_NAME = "mailroom_csrf" if INSECURE_HTTP else "__Host-csrf"
SECURE_SSL_REDIRECT = not INSECURE_HTTP
SECURE_HSTS_SECONDS = 0 if INSECURE_HTTP else 63_072_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not INSECURE_HTTP
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
if env.boolean("MAILROOM_BEHIND_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
if not INSECURE_HTTP:
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["upgrade-insecure-requests"] = True
if CONTENT_ORIGIN:
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["frame-src"] = [SELF, CONTENT_ORIGIN]  # our own: the composer's editor
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["img-src"] = [SELF, "data:", CONTENT_ORIGIN]
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["media-src"] = [CONTENT_ORIGIN]
DEMO = env.boolean("MAILROOM_DEMO", False)
_DEMO_IMAGES = env.integer("MAILROOM_DEMO_PICTURES_PORT", 0) if DEMO else 0
MAILROOM = MAILROOM | {
    "IMAGE_DETOURS": {"example": _DEMO_IMAGES} if _DEMO_IMAGES else {},
    "HELO_NAME": env.text("MAILROOM_HELO_NAME", "localhost"),
    "FORBIDDEN_NETWORKS": env.networks("MAILROOM_FORBIDDEN_NETWORKS", []),
}
