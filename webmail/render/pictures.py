"""Pictures that lie on other servers, as places in a cleaned body.

The sanitizer puts a place where such a picture stood: an address below the frame's own, which leads nowhere by itself.
Whether a reader sees the pictures is decided anew each time: the stored body passes the sanitizer's parser and lists
once more, and each place becomes an address of the image proxy or goes. So nothing is edited after cleaning, and what
is stored loads nothing.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable

from webmail.render.html import clean_tree

SINCE_VERSION = 2  # of the sanitizer: bodies cleaned before have no places
MOST_PICTURES = 500  # different ones of one message; further ones are counted and stay away
_PLACE = re.compile(r"i/([A-Za-z0-9_-]{22})\Z")


def key_of(url: str) -> str:
    """The name of a picture's URL: 128 bits of its SHA-256 in 22 letters."""
    return base64.urlsafe_b64encode(hashlib.sha256(url.encode("utf-8", "replace")).digest()[:16]).decode().rstrip("=")


class Places:
    """``place`` for ``Policy.image_url``; ``urls`` holds afterwards what the places stand for, in order."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    @property
    def urls(self) -> list[str]:
        return list(self._known)

    def place(self, url: str) -> str | None:
        if url not in self._known:
            if len(self._known) >= MOST_PICTURES:
                return None
            self._known[url] = key_of(url)
        return f"i/{self._known[url]}"


def with_pictures(html: str, address: Callable[[str], str | None]) -> str:
    """The stored body with each place at ``address(key)``; where that is None the picture stays away."""
    return clean_tree(html, _Resolver(address), profile="read") or ""


def without_pictures(html: str) -> str:
    """The stored body as it is shown while pictures of other servers are held back."""
    return with_pictures(html, lambda _key: None)


def url_of(key: str, urls: Iterable[str]) -> str:
    """The URL that a place's key stands for; "" when the message has no such picture."""
    return next((url for url in urls if key_of(url) == key), "")


class _Resolver:
    """For nh3's ``attribute_filter``: the values were judged when the body was cleaned; only places are looked at."""

    def __init__(self, address: Callable[[str], str | None]) -> None:
        self._address = address

    def __call__(self, tag: str, name: str, value: str) -> str | None:
        if name != "src" or not (place := _PLACE.match(value)):
            return value
        return self._address(place[1])
