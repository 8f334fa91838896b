"""Links whose text names another site than the one they lead to."""

import re
from typing import NamedTuple

from webmail.render.urls import web_host
from webmail.render.values import CleanHtml, Link
from webmail.render.wordlist import words

_NAMED = re.compile(
    r"(?:https?://)?(?:[^\s/@]{0,200}@)?((?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{1,62})(?![\w@.-])", re.IGNORECASE
)
# Second-level labels under which registries give out names (example.co.uk), where two labels are not yet a site.
_SHARED = words("ac co com edu go gob gov gouv govt ltd me mil ne net nhs nom or org plc sch")


class Deception(NamedTuple):
    """``claimed`` is the site that the text names, ``host`` the one it leads to, both in ASCII form (IDNA)."""

    link: Link
    claimed: str
    host: str


def deceptions(clean: CleanHtml) -> tuple[Deception, ...]:
    """The links that should carry a warning, in order, each pair of sites once."""
    found: dict[tuple[str, str], Deception] = {}
    for link in clean.links:
        claimed, host = named_host(link.text), ascii_host(web_host(link.href))
        if claimed and host and site(claimed) != site(host):
            found.setdefault((claimed, host), Deception(link, claimed, host))
    return tuple(found.values())


def named_host(text: str) -> str:
    """The host that a link's text claims when all of the text is an address; "" when it is words."""
    text = text.strip().strip(".,;:!?()[]<>\"'")
    match = _NAMED.match(text)
    return ascii_host(match[1].lower()) if match and " " not in text else ""


def ascii_host(host: str) -> str:
    """A host as it is asked for in the DNS: ``xn--`` labels for everything beyond ASCII."""
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host.encode("ascii", "backslashreplace").decode()


def site(host: str) -> str:
    """The part of a host that one owner registers, by a rule of thumb (two labels, three below shared ones)."""
    labels = host.rstrip(".").split(".")
    if len(labels) > 2 and labels[-2] in _SHARED and len(labels[-1]) == 2:
        return ".".join(labels[-3:])
    return ".".join(labels[-2:])
