"""Addresses of the image proxy: who may see which picture of which message, until when, signed.

Frames send no cookies, so the address is the right. It is good for one person, one message and one picture, for less
than an hour, and stays the same within half of that, so that a browser need not ask twice. The key of the signature is
derived for this purpose alone.
"""

import re
import time
from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.urls import reverse

SALT = "webmail.image-proxy"
STEP_SECONDS = 1800

_KEY = re.compile(r"[A-Za-z0-9_-]{22}\Z")


@dataclass(frozen=True, slots=True)
class Claim:
    """What an address says: the person, the message, and the picture's key (``render.pictures``)."""

    user_id: int
    message_id: int
    key: str


def address(claim: Claim) -> str:
    """Where the picture is, on the host that shows mail."""
    ends = int(time.time()) // STEP_SECONDS + 2
    token = _signer().sign(f"{claim.user_id}.{claim.message_id}.{claim.key}.{ends}")
    return settings.CONTENT_ORIGIN + reverse("mail:image", args=[token])


def read(token: str) -> Claim | None:
    """What the address says; None for one we did not sign, and for one whose time is over."""
    try:
        user, message, key, ends = _signer().unsign(token).split(".")
        if int(ends) * STEP_SECONDS <= time.time() or not _KEY.match(key):
            return None
        return Claim(int(user), int(message), key)
    except (signing.BadSignature, ValueError):
        return None


def _signer() -> signing.Signer:
    return signing.Signer(salt=SALT, sep="~")
