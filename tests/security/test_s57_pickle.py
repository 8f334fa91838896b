"""S57: nothing that lies in Redis, in a session or in a token is ever unpickled."""

import base64
import os
import pickle
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import signing
from django.core.cache import cache
from django.core.signing import TimestampSigner
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from tests import factories
from tests.support.live import Live
from webmail import celery, live
from webmail.jobs import Job, enqueue
from webmail.queries.reading import FRAME_SALT, frame_token


class Gadget:
    """Unpickled, it makes a file."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.sentinel}",)


@pytest.fixture
def sentinel(tmp_path: Path) -> Path:
    return tmp_path / "unpickled"


@pytest.fixture
def gadget(sentinel: Path) -> bytes:
    return pickle.dumps(Gadget(sentinel))


def test_s57_the_gadget_works(gadget: bytes, sentinel: Path) -> None:
    pickle.loads(gadget)
    assert sentinel.exists()


def test_s57_settings_name_json_everywhere() -> None:
    from webmail.settings import base

    for place in (base, settings):
        assert place.SESSION_SERIALIZER == "django.contrib.sessions.serializers.JSONSerializer"
        assert place.CELERY_TASK_SERIALIZER == place.CELERY_RESULT_SERIALIZER == "json"
        assert place.CELERY_ACCEPT_CONTENT == place.CELERY_RESULT_ACCEPT_CONTENT == ["json"]
    assert "webmail.cache.JSONSerializer" in str(settings.CACHES["default"])
    prod = (Path(settings.BASE_DIR) / "webmail" / "settings" / "prod.py").read_text()
    assert '"serializer": "webmail.cache.JSONSerializer"' in prod
    assert celery.app.conf.accept_content == celery.app.conf.result_accept_content == ["json"]
    assert "Pickle" not in settings.MESSAGE_STORAGE + settings.SESSION_ENGINE


@pytest.mark.django_db
def test_s57_a_poisoned_cache_is_not_believed(gadget: bytes, sentinel: Path, redis_url: str) -> None:
    """Whatever the brakes on sign-in read back, the sign-in goes on."""
    user = factories.user("Alice")
    with redis.Redis.from_url(redis_url) as raw:
        cache.set("signin:x", 1)
        known = {key.decode() for key in raw.keys("*signin*")}
        assert known, "the cache is elsewhere, this test would prove nothing"
        from accounts.services.sign_in import _keys

        for key in _keys(user.email, "127.0.0.1"):
            raw.set(cache.make_key(key), gadget)
        raw.set(f"here:{1}", gadget)
        raw.set(f"visit:{1}", gadget)
        page = Client().post(reverse("mail:signin"), {"username": user.email, "password": "a long enough password"})
        wrong = Client().post(reverse("mail:signin"), {"username": user.email, "password": "wrong"})
        live.is_here(1)
        live.mark_here(1)
    assert (page.status_code, wrong.status_code) == (302, 422)
    assert not sentinel.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("signed", [True, False])
def test_s57_a_poisoned_session_is_nobodys(signed: bool, gadget: bytes, sentinel: Path) -> None:
    data = base64.urlsafe_b64encode(gadget).decode()
    if signed:
        data = TimestampSigner(salt="django.contrib.sessions.SessionStore").sign(data)
    key = uuid.uuid4().hex
    Session.objects.create(session_key=key, session_data=data, expire_date=timezone.now() + timedelta(days=1))
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = key
    assert client.get(reverse("mail:unified")).status_code == 302
    assert not sentinel.exists()


@pytest.mark.django_db
def test_s57_a_poisoned_token_opens_nothing(gadget: bytes, sentinel: Path) -> None:
    class AsItIs:
        def dumps(self, obj: bytes) -> bytes:
            return obj

    token = signing.dumps(gadget, salt=FRAME_SALT, serializer=AsItIs)  # type: ignore[arg-type]  # the worst case: our key
    response = Client(raise_request_exception=False).get(f"/m/{token}/")
    assert response.status_code in (404, 500)
    assert not sentinel.exists()


def test_s57_a_token_of_another_purpose_is_none(db: None) -> None:
    user: User = factories.user("Alice")
    claim = {"u": user.pk, "m": 1, "r": 0}
    assert Client().get(f"/m/{signing.dumps(claim)}/").status_code == 404
    assert signing.loads(frame_token(user, 1), salt=FRAME_SALT) == claim


def test_s57_a_poisoned_queue_feeds_no_worker(live: Live, gadget: bytes, sentinel: Path) -> None:
    """Messages that call themselves pickle or yaml are refused, and the worker goes on with the next one."""
    before = live.log("worker-interactive").count("Refusing to deserialize")
    with celery.app.connection_for_write() as connection, connection.channel() as channel:
        producer = celery.app.amqp.Producer(channel)
        for kind in ("application/x-python-serialize", "application/x-yaml"):
            producer.publish(
                gadget,
                routing_key="interactive",
                content_type=kind,
                content_encoding="binary",
                serializer=None,
                headers={"task": Job.FETCH_BODY.value, "id": str(uuid.uuid4()), "lang": "py", "root_id": None},
            )
        broker: redis.Redis = channel.client  # type: ignore[attr-defined]  # of the transport in use
        broker.set(f"celery-task-meta-{uuid.uuid4()}", gadget)
        enqueue(Job.FETCH_BODY, 1)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            refused = live.log("worker-interactive").count("Refusing to deserialize") - before
            if refused >= 2 and not broker.llen("interactive"):
                break
            time.sleep(0.05)
        assert refused >= 2
        assert broker.llen("interactive") == 0
    assert not sentinel.exists()
