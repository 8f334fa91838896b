"""The token endpoint of an authorisation server: a code or a refresh token goes in, an access token comes out.

Invariants: what was withdrawn for good is told from what is out of order for now, since only the first needs its
person; no code, token or client secret is in an error's text; the answer is bounded in size and time; the connection
is dialled and verified like a mail server's. RFC 6749 sections 4.1.3, 5 and 6, RFC 7636 (PKCE).
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from webmail.protocols.errors import (
    AuthenticationFailed,
    MailServerError,
    ProtocolViolation,
    Throttled,
    Unreachable,
    classify,
)
from webmail.protocols.net import Endpoint, Secret, dial

LARGEST_ANSWER = 65_536  # octets
PATIENCE = 20.0  # seconds for the whole exchange
USUAL_LIFETIME = 3600  # seconds, where the server names none


class AuthorisationWithdrawn(AuthenticationFailed):
    """The person, or their organisation, took the authorisation back: only signing in again helps."""

    kind: ClassVar[str] = "withdrawn"


class ClientRefused(MailServerError):
    """The authorisation server does not accept this installation as a client: an administrator has to look."""

    kind: ClassVar[str] = "client"


@dataclass(frozen=True, slots=True)
class Tokens:
    """``refresh`` is None where the old one stays good; ``seconds`` is how long the access token lasts."""

    access: Secret
    refresh: Secret | None
    seconds: int


def ask(url: str, form: Mapping[str, str], *, ca_pem: str = "") -> Tokens:
    """POST the form to the token endpoint (https). Raises MailServerError."""
    try:
        status, retry_after, body = _post(url, urlencode(form).encode(), ca_pem)
    except MailServerError:
        raise
    except Exception as exc:  # http.client's errors quote what the server sent
        raise classify(exc) from None
    answer = _parsed(body)
    if status == 200 and isinstance(answer.get("access_token"), str):
        return _tokens(answer)
    words = _redacted(f"{answer.get('error', '')} {answer.get('error_description', '')}".strip(), form)
    if answer.get("error") == "invalid_grant":
        raise AuthorisationWithdrawn(words)
    if status == 429:
        raise Throttled(words, retry_after=retry_after or 60.0)
    if status in (400, 401, 403):
        raise ClientRefused(words)
    if status >= 500:
        raise Unreachable(words or f"the authorisation server answered {status}")
    raise ProtocolViolation("the authorisation server gave an answer that is none")


def _post(url: str, body: bytes, ca_pem: str) -> tuple[int, float | None, bytes]:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ClientRefused("the token address is not https")
    # an administrator named it, so it may lie anywhere
    endpoint = Endpoint(parts.hostname, parts.port or 443, "tls", allow_private=True, ca_pem=ca_pem)
    ends = time.monotonic() + PATIENCE
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port)
    connection.sock = dial(endpoint, read_timeout=PATIENCE)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        connection.request("POST", parts.path + (f"?{parts.query}" if parts.query else ""), body, headers)
        response = connection.getresponse()
        whole = b""
        while chunk := response.read1(8192):
            whole += chunk
            if len(whole) > LARGEST_ANSWER or time.monotonic() > ends:
                raise ProtocolViolation("the authorisation server talks without end")
        after = response.getheader("Retry-After", "")
        return response.status, float(min(int(after), 3600)) if after.isdecimal() else None, whole
    finally:
        connection.close()


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _tokens(answer: Mapping[str, Any]) -> Tokens:
    refresh = answer.get("refresh_token")
    lasts = answer.get("expires_in")
    try:
        seconds = int(lasts) if lasts is not None else USUAL_LIFETIME
    except (TypeError, ValueError, OverflowError):
        seconds = USUAL_LIFETIME
    return Tokens(
        Secret(answer["access_token"]),
        Secret(refresh) if isinstance(refresh, str) and refresh else None,
        min(max(seconds, 0), 30 * 24 * 3600),
    )


def _redacted(words: str, form: Mapping[str, str]) -> str:
    for name in ("code", "code_verifier", "refresh_token", "client_secret"):
        if form.get(name):
            words = words.replace(form[name], "***")
    return words
