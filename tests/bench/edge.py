"""Requests as a browser makes them: over a connection kept alive, compressed, with a real session."""

from __future__ import annotations

import gzip
import http.client
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from accounts.models import User

CSRF_TOKEN = "b" * 32  # cookie and header have to be the same, and a client may choose both


@dataclass(slots=True)
class Edge:
    """One kept-alive connection to the web server, signed in as one person."""

    url: str
    cookie: str
    _connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)

    def get(self, path: str, **headers: str) -> bytes:
        """The body as it came over the wire, compressed; anything but 200 is an error."""
        usual = {"Accept-Encoding": "gzip", "Accept": "text/html", "Cookie": self.cookie}
        self._connection.request("GET", path, headers=usual | headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(f"{path} answered {response.status} {response.headers.get('Location', '')}")
        return body

    def post(self, path: str, body: bytes, **headers: str) -> int:
        """Submit a form's fields, URL-encoded, as a page of ours would; the status."""
        status, _ = self.submit(path, body, **headers)
        if status >= 400:
            raise RuntimeError(f"{path} answered {status}")
        return status

    def submit(self, path: str, body: bytes | Iterable[bytes], **headers: str) -> tuple[int, bytes]:
        """The same with whatever is answered. A body in pieces needs a Content-Length."""
        from django.conf import settings

        usual = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": f"{self.cookie}; {settings.CSRF_COOKIE_NAME}={CSRF_TOKEN}",
            "X-CSRFToken": CSRF_TOKEN,
            "Origin": self.url,
        }
        self._connection.request("POST", path, body=body, headers=usual | headers)
        response = self._connection.getresponse()
        return response.status, response.read()

    def page(self, path: str) -> str:
        """The body as text."""
        body = self.get(path)
        return (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode()


def session_cookie(user: User) -> tuple[str, str]:
    """Name and value of a cookie that signs the person in, as signing in would have set it."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    store = import_module(settings.SESSION_ENGINE).SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return settings.SESSION_COOKIE_NAME, str(store.session_key)


def signed_in(url: str, user: User) -> Edge:
    """A connection of that person."""
    return Edge(url, "=".join(session_cookie(user)))
