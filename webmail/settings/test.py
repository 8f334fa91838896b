"""Settings of the test run: the private stack of tests/stack.py names its sockets in the environment."""

import tempfile
from pathlib import Path

from . import env, sessions
from .base import *  # noqa: F403 - settings modules are layered this way in Django
from .base import MAILROOM

DEBUG = False
SECRET_KEY = "only-for-tests-" * 4
SITE_URL = env.text("MAILROOM_SITE_URL", "http://testserver")
CONTENT_ORIGIN = ""
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
_FOLDER = Path(env.text("MAILROOM_TEST_DIR", tempfile.gettempdir()))

DATABASES = {"default": env.database("MAILROOM_DATABASE_URL", "postgresql:///mailroom")}
DATABASES["default"]["OPTIONS"] = {"options": sessions.limits("worker")}
REDIS_URL = env.text("MAILROOM_REDIS_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = env.text("MAILROOM_BROKER_URL", "memory://")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "cache",
        "OPTIONS": {"serializer": "webmail.cache.JSONSerializer", "socket_timeout": 2, "socket_connect_timeout": 2},
    }
}
KEY_SECRETS = [b"only-for-tests-only-for-tests-32"]
STATIC_ROOT = env.text("MAILROOM_STATIC_DIR", str(_FOLDER / "static"))
STORAGES = {
    "default": {
        "BACKEND": "webmail.storage.WholeFiles",
        "OPTIONS": {"location": env.text("MAILROOM_STORAGE_DIR", str(_FOLDER / "storage"))},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # tests sign in often; nothing real is kept
INSECURE_HTTP = True
_PICTURES = env.integer("MAILROOM_TEST_IMAGE_PORT", 9)
MAILROOM = MAILROOM | {"IMAGE_DETOURS": {"test": _PICTURES, "example": _PICTURES}}
DEMO = False
