"""The judgement on one attribute at a time, as nh3 asks for it, and the counting done on the way."""

import re
from collections.abc import Callable, Set

from webmail.render.css import clean_declarations
from webmail.render.css_properties import PROPERTIES, QUOTE_PROPERTIES
from webmail.render.trackers import is_tracker
from webmail.render.urls import clean_link, content_id, is_raster_data, tidy, web_host
from webmail.render.values import Policy
from webmail.render.wordlist import words

MAX_STYLE_TEXT = 600_000
MAX_HOSTS = 50

_CLASS = re.compile(r"(?!htmx|hx-|m-)[A-Za-z_][\w-]{0,80}\Z", re.ASCII | re.IGNORECASE)
_SURFACES = words("table tbody tr td th div center section article header footer main")
_BACKGROUND = re.compile(r"background(?:-color|-image)?:([^;}]*)")
_NO_COLOUR = re.compile(
    r"(?:|transparent|none|initial|inherit|unset|white|#fff|#ffffff|rgba?\(\s*255[,\s]+255[,\s]+255.*|rgba\(.*,\s*0\s*\))"
    r"(?:!important)?\Z"
)


def has_background(css: str) -> bool:
    """Whether cleaned CSS paints a ground of its own that is not plain white."""
    return any(not _NO_COLOUR.match(match[1].strip().lower()) for match in _BACKGROUND.finditer(css))


class AttributeFilter:
    """Callable for nh3's ``attribute_filter``; never raises, since nh3 would print what it was given."""

    def __init__(self, policy: Policy, *, pixels: Set[str] = frozenset()) -> None:
        self._policy = policy
        self._pixels = pixels
        self._properties = PROPERTIES if policy.profile == "read" else QUOTE_PROPERTIES
        self._styles: dict[str, str] = {}
        self._style_budget = MAX_STYLE_TEXT
        self.remote_images = self.trackers = 0
        self.hosts: dict[str, None] = {}
        self.painted = False
        self._by_name: dict[str, Callable[[str, str], str | None]] = {
            "style": self._style,
            "href": lambda _tag, value: clean_link(value),
            # asked also about elements that go: what they would have loaded is no picture to show or to count
            "src": lambda tag, value: self._picture(value) if tag == "img" else None,
            "class": lambda _tag, value: _classes(value),
            "bgcolor": self._bgcolor,
            "role": lambda _tag, value: value if value in ("presentation", "none") else None,
        }

    def __call__(self, tag: str, name: str, value: str) -> str | None:
        judge = self._by_name.get(name)
        if judge is None:
            return value if len(value) <= 10_000 else None
        try:
            return judge(tag, value)
        except (ValueError, LookupError, RecursionError):
            return None

    def _style(self, tag: str, value: str) -> str | None:
        cleaned = self._styles.get(value)
        if cleaned is None:
            self._style_budget -= len(value) + 20
            cleaned = clean_declarations(value, properties=self._properties) if self._style_budget > 0 else ""
            self._styles[value] = cleaned
        if tag in _SURFACES and not self.painted:
            self.painted = has_background(cleaned)
        return cleaned or None

    def _bgcolor(self, tag: str, value: str) -> str:
        self.painted = self.painted or has_background("background:" + value.strip().lower())
        return value

    def _picture(self, value: str) -> str | None:
        if is_raster_data(value):
            return value if self._policy.profile == "read" else None
        url = tidy(value)
        if cid := content_id(url):
            return self._policy.cid_url(cid)
        host = web_host(url)
        return self._remote(url, host) if host else None

    def _remote(self, url: str, host: str) -> str | None:
        if url in self._pixels or is_tracker(url):
            self.trackers += 1
            return None
        self.remote_images += 1
        if self._policy.profile == "quote" or self._policy.image_url is None:
            if len(self.hosts) < MAX_HOSTS:
                self.hosts[host] = None
            return None
        return self._policy.image_url(url)


def _classes(value: str) -> str | None:
    return " ".join(name for name in value[:4_000].split()[:40] if _CLASS.match(name)) or None
