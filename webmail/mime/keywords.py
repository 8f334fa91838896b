"""Keywords of messages as labels: the names people read and type, and the atoms that servers keep.

Invariants: a name that was typed becomes an atom any server takes (RFC 9051 section 9, flag-keyword), in modified UTF-7
as other mail programs write it; what programs tell each other by keywords is no label. A space is an underscore on the
wire, and an underscore is read as a space, so that a name needs to be kept nowhere else.
"""

from __future__ import annotations

import re

from webmail.mime.folder_names import BadName, display_name, encode_name

WELL_KNOWN = ("$label1", "$label2", "$label3", "$label4", "$label5")  # important, work, personal, to do, later
LONGEST = 100
_NOT_IN_ATOM = re.compile(r'[(){%*"\\\]\s_]+')
_ATOM = re.compile(r'[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]{1,100}')
_OF_PROGRAMS = frozenset(
    {"junk", "nonjunk", "notjunk", "junkrecorded", "forwarded", "redirected", "mdnsent", "receipt-handled", "old"}
)


def is_label(keyword: str) -> bool:
    """Whether a person gave it, as far as can be told; registered keywords begin with a dollar sign."""
    lower = keyword.lower()
    if lower in WELL_KNOWN:
        return True
    return not lower.startswith("$") and lower not in _OF_PROGRAMS and bool(label_name(keyword))


def is_sendable(keyword: str) -> bool:
    """Whether it is a label that could stand in a command as it is."""
    return _ATOM.fullmatch(keyword) is not None and is_label(keyword)


def label_name(keyword: str) -> str:
    """The name of a label that is none of the well-known five."""
    return display_name(keyword.encode("utf-8", "surrogateescape")).replace("_", " ").strip()


def label_keyword(name: str) -> str:
    """The keyword for a name a person typed. Raises BadName: empty, character, long, or "taken" by programs."""
    plain = _NOT_IN_ATOM.sub(" ", name).strip().lstrip("$").strip()
    keyword = encode_name(plain).decode("ascii").replace(" ", "_")
    if len(keyword) > LONGEST:
        raise BadName("long", "the name is too long")
    if not is_label(keyword):
        raise BadName("taken", "mail programs use this name among themselves")
    return keyword
