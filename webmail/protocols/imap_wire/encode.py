"""Commands to bytes, with the gate that no argument passes carrying a second command (RFC 9051 sections 4 and 9).

Invariants: nothing leaves with CR, LF or NUL in an argument; text between literals is printable ASCII; a command is
encoded whole before its first byte is sent, so a refused argument costs nothing on the wire.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, TypeAlias

_BREAKS = re.compile(rb"[\r\n\0]")
_PRINTABLE = re.compile(rb"[\x20-\x7e]*")
_FLAG = re.compile(r"\\?[^\x00-\x20\x7f-\U0010ffff(){%*\"\\]+")
_SYSTEM_LABEL = re.compile(rb"\\[A-Za-z]+")
_SECTION = re.compile(r"(?:[1-9]\d{0,5}(?:\.[1-9]\d{0,5}){0,99}(?:\.(?:MIME|HEADER|TEXT))?|HEADER|TEXT|)")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
QUOTED_LIMIT = 4000
NONSYNC_PLUS = 65536
NONSYNC_MINUS = 4096


@dataclass(frozen=True, slots=True)
class String:
    """An argument of any content but CR, LF and NUL: a mailbox name, a user's word. Quoted, or sent as a literal."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Literal:
    """An argument sent as a counted literal: a message."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Streamed:
    """A literal that is read from a file while it is sent. The caller knows that its `size` bytes hold no NUL."""

    file: IO[bytes]
    size: int


Argument: TypeAlias = bytes | String | Literal | Streamed


@dataclass(frozen=True, slots=True)
class Segment:
    """What to send at once; when `wait`, the server must ask for more before the next segment goes."""

    data: bytes | Streamed
    wait: bool


def encode_command(tag: bytes, arguments: Sequence[Argument], capabilities: frozenset[str]) -> list[Segment]:
    """The command line in segments. Raw `bytes` arguments are protocol words of ours. Raises ValueError."""
    segments: list[Segment] = []
    line = tag
    for argument in arguments:
        line += b" "
        if isinstance(argument, bytes):
            line += _printable(argument)
            continue
        if isinstance(argument, Streamed):
            segments += [Segment(line + b"{%d}\r\n" % argument.size, wait=True), Segment(argument, wait=False)]
            line = b""
            continue
        quoted = _quoted(argument)
        if quoted is not None:
            line += quoted
            continue
        if b"\0" in argument.value:
            raise ValueError("an argument holds a NUL")
        size = len(argument.value)
        if _may_run_on(size, capabilities):
            line += b"{%d+}\r\n" % size + argument.value
        else:
            segments.append(Segment(line + b"{%d}\r\n" % size, wait=True))
            line = argument.value
    return [*segments, Segment(line + b"\r\n", wait=False)]


def _printable(text: bytes) -> bytes:
    if not _PRINTABLE.fullmatch(text):
        raise ValueError("an argument holds a line end or a character that is not printable ASCII")
    return text


def _quoted(argument: String | Literal) -> bytes | None:
    """The quoted form, None where only a literal will do."""
    if isinstance(argument, Literal):
        return None
    if _BREAKS.search(argument.value):
        raise ValueError("an argument holds a line end or a NUL")
    if len(argument.value) > QUOTED_LIMIT or not _PRINTABLE.fullmatch(argument.value):
        return None
    return b'"' + argument.value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _may_run_on(size: int, capabilities: frozenset[str]) -> bool:
    """Whether the literal need not wait (RFC 7888). A long one waits all the same: the server may refuse it unsent."""
    if "LITERAL+" in capabilities:
        return size <= NONSYNC_PLUS
    return "LITERAL-" in capabilities and size <= NONSYNC_MINUS


def flag_list(flags: Iterable[str]) -> bytes:
    """A parenthesised list of flags. Raises ValueError for what is no flag, `\\Recent` and `\\*` included."""
    words = sorted(set(flags))
    for word in words:
        if not _FLAG.fullmatch(word) or word.lower() == "\\recent":
            raise ValueError("not a flag a client may set")
    return b"(" + " ".join(words).encode("ascii") + b")"


def label_list(labels: Iterable[bytes]) -> bytes:
    """A parenthesised list of Gmail's labels in modified UTF-7: system ones (`\\Inbox`) as flags, others quoted.

    Raises ValueError for what is no label: nothing, line ends, 8-bit characters.
    """
    words = []
    for label in sorted(set(labels)):
        quoted = _quoted(String(label)) if label else None
        if quoted is None:
            raise ValueError("not a label")
        words.append(label if _SYSTEM_LABEL.fullmatch(label) else quoted)
    return b"(" + b" ".join(words) + b")"


def body_section(section: str) -> bytes:
    """A checked section such as `1.2`, `1.MIME`, `HEADER` or nothing for the whole. Raises ValueError."""
    if not _SECTION.fullmatch(section):
        raise ValueError("not a body section")
    return section.encode("ascii")


def date_time(moment: datetime) -> bytes:
    """The quoted date-time of APPEND. Raises ValueError for a naive moment."""
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("a moment without time zone")
    minutes = round(offset.total_seconds() / 60)
    sign = b"-" if minutes < 0 else b"+"
    zone = sign + b"%02d%02d" % divmod(abs(minutes), 60)
    month = _MONTHS[moment.month - 1].encode()
    clock = b"%02d:%02d:%02d" % (moment.hour, moment.minute, moment.second)
    return b'"%2d-%s-%04d %s %s"' % (moment.day, month, moment.year, clock, zone)
