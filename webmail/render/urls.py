"""What a link or a picture of a stranger may point at (RFC 3986, RFC 6068)."""

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

MAX_URL = 16_000

_EDGES = "".join(map(chr, range(0x21)))
_LINE_BREAKS = re.compile(r"[\t\n\r]")
_WEB = re.compile(r"https?://[^/\\?#]", re.IGNORECASE)
_TELEPHONE = re.compile(r"tel:[+\d().\s;=a-z-]{1,64}\Z", re.IGNORECASE)
_RASTER = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=\s]*\Z", re.IGNORECASE)
_MAILTO_FIELDS = frozenset({"to", "cc", "bcc", "subject", "body"})


def tidy(url: str) -> str:
    """The URL as a browser reads it: no spaces or controls around it, no line breaks in it; "" when too long."""
    return "" if len(url) > MAX_URL else _LINE_BREAKS.sub("", url.strip(_EDGES))


def web_host(url: str) -> str:
    """The lower-case host of an absolute http or https URL; "" for everything else."""
    if not _WEB.match(url):
        return ""
    try:
        return (urlsplit(url.replace("\\", "/")).hostname or "").lower()
    except ValueError:
        return ""


def clean_link(url: str) -> str | None:
    """The URL of a link when it may be followed: http, https, mailto or tel, and absolute; else None."""
    url = tidy(url)
    if web_host(url) or _TELEPHONE.match(url):
        return url
    return clean_mailto(url) if url[:7].lower() == "mailto:" else None


def clean_mailto(url: str) -> str | None:
    """A mailto URL with only the fields that a composer honours; ``attach`` and other headers are left out."""
    address, _, query = url[7:].partition("?")
    try:
        fields = [(n.lower(), v) for n, v in parse_qsl(query, max_num_fields=50) if n.lower() in _MAILTO_FIELDS]
    except ValueError:
        return None
    kept = urlencode(fields, quote_via=quote)
    return "mailto:" + quote(unquote(address), safe="@,;:+.!~*'()") + ("?" + kept if kept else "")


def content_id(url: str) -> str:
    """The Content-ID that a ``cid:`` URL names (RFC 2392), without angle brackets; "" for other URLs."""
    url = tidy(url)
    return unquote(url[4:]).strip("<> ") if url[:4].lower() == "cid:" else ""


def is_raster_data(url: str) -> bool:
    """Whether the URL is a picture carried in the message itself, of a kind that cannot contain markup."""
    return url[:5].lower() == "data:" and _RASTER.match(url) is not None
