"""The values that the renderer takes and gives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

Profile = Literal["read", "quote"]
Problem = Literal["", "cut", "too-complex", "unreadable"]

# English sentences for the problems, to be passed through gettext by whoever shows them.
PROBLEM_SENTENCES: dict[Problem, str] = {
    "": "",
    "cut": "This message is very long. Only its beginning is shown; download it to read the rest.",
    "too-complex": "This message is built in a way that is too complex to show. Its text is shown instead.",
    "unreadable": "The HTML of this message could not be read. Its text is shown instead.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a message may show.

    ``cid_url`` maps a Content-ID (without angle brackets) to the URL of that part, or to None when the message has no
    such part. ``image_url`` maps an http(s) image URL to the URL of the image proxy; None as the whole field means that
    remote images are held back. The ``quote`` profile ignores ``image_url``: what is quoted never loads anything.
    """

    cid_url: Callable[[str], str | None]
    image_url: Callable[[str], str | None] | None = None
    profile: Profile = "read"


class Link(NamedTuple):
    """A link: its text (at most 300 characters) and where it leads; ``seen`` is its text without what styles hide."""

    text: str
    href: str
    seen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanHtml:
    """A message body that is safe to put into the frame document, and what was found in it.

    ``html`` and ``stylesheet`` are final: nothing may edit them. ``remote_images`` counts the pictures that live on
    other servers (shown or held back), ``remote_backgrounds`` those that styles name, which are never shown, and
    ``trackers`` the invisible ones that are never loaded. ``designed`` says that
    the mail brings backgrounds or a table layout of its own, so that it keeps its light paper in dark mode.
    """

    html: str
    stylesheet: str = ""
    remote_images: int = 0
    remote_backgrounds: int = 0
    trackers: int = 0
    blocked_hosts: tuple[str, ...] = ()
    problem: Problem = ""
    designed: bool = False
    links: tuple[Link, ...] = ()
