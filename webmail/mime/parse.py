"""Whole messages to part trees by offsets, nothing being copied (RFC 2045, 2046, 5322).

Invariants: `parse_message` never raises and takes time linear in the message; depth, parts and headers are capped
before they are looked at (security S49, S50); paths equal the section numbers an IMAP server would give (RFC 3501
section 6.4.5); between the first and the last delimiter of a multipart every octet lies in some part, so nothing is
hidden by being malformed.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from webmail.mime.charset import decode_html, decode_text
from webmail.mime.embedded import find_embedded, without_embedded
from webmail.mime.filenames import safe_filename
from webmail.mime.flowed import unflow
from webmail.mime.headers import HeaderSummary, split_fields, summarise, unfold
from webmail.mime.params import parse_parameterised
from webmail.mime.part import NESTED_MESSAGES, NESTING, PARTS, Part, body_path, child_path, clean_content_id, walk
from webmail.mime.sections import header_bounds, outermost_bounds, sections
from webmail.mime.text import safe_line
from webmail.mime.transfer import decode_base64, decode_transfer
from webmail.mime.words import decode_words


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps on one message: octets of a text part that are decoded, parts, levels, messages within messages."""

    text: int = 25 * 1024 * 1024
    parts: int = PARTS
    depth: int = NESTING
    messages: int = NESTED_MESSAGES


DEFAULT: Final = Limits()


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """A message taken apart.

    `all_headers` are (name, value) pairs in order, values unfolded, 8-bit ones decoded, encoded words left as they are.
    `problem` is the first code found among headers-too-large, too-many-headers, too-deep, too-many-parts, no-boundary,
    unreadable; "" when the message is sound.
    """

    headers: HeaderSummary
    all_headers: tuple[tuple[str, str], ...]
    root: Part
    problem: str = ""


_PLAIN_ENCODINGS: Final = frozenset({"", "7bit", "8bit", "binary"})
_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")
_MAX_BOUNDARY = 1_000
_OPAQUE: Final = "application/octet-stream"


def parse_message(raw: bytes, *, limits: Limits = DEFAULT) -> ParsedMessage:
    """The headers and the part tree of a raw message. Total: whatever `raw` is, there is a tree to show."""
    try:
        return _parse(raw, limits)
    except Exception:  # the promise of totality (S50): a defect here must cost one message its looks, not its reader
        whole = Part(path="1", media_type="text/plain", size=len(raw), start=0, end=len(raw), problem="unreadable")
        return ParsedMessage(HeaderSummary(), (), whole, "unreadable")


def _parse(raw: bytes, limits: Limits) -> ParsedMessage:
    header_end, body_start = outermost_bounds(raw)
    fields, warnings = split_fields(raw[:header_end])
    caps = sorted(warnings & {"headers-too-large", "too-many-headers"})
    root = _Parser(raw, limits).entity(fields, body_start, len(raw), message="")
    problems = (*caps, *(part.problem for part in walk(root) if part.problem))
    return ParsedMessage(
        headers=summarise(fields, warnings),
        all_headers=tuple((name, safe_line(unfold(value))) for name, value in fields),
        root=root,
        problem=problems[0] if problems else "",
    )


def part_bytes(raw: bytes, part: Part) -> bytes:
    """The decoded content of a part of a tree that `parse_message(raw)` gave."""
    return decode_transfer(encoded_bytes(raw, part), part.encoding)


def encoded_bytes(raw: bytes, part: Part) -> bytes:
    """The content of a part as it stands in the message."""
    return (raw if part.source is None else part.source)[part.start : part.end] if part.start >= 0 else b""


def part_text(raw: bytes, part: Part, *, limits: Limits = DEFAULT) -> str:
    """The text of a text part: see `content_text`."""
    return content_text(encoded_bytes(raw, part), part, limits=limits)


def content_text(encoded: bytes, part: Part, *, limits: Limits = DEFAULT) -> str:
    """`encoded` (what a server gave for the section of `part`) as text with LF line ends.

    Files embedded by uuencode or yEnc are left out, format=flowed paragraphs are joined, and what exceeds the cap is
    cut. Never raises.
    """
    encoded = encoded[: limits.text]
    if part.media_type == "text/html":
        return _unix_lines(decode_html(decode_transfer(encoded, part.encoding), part.charset))
    if part.encoding in _PLAIN_ENCODINGS:
        encoded = without_embedded(encoded)
    text = _unix_lines(decode_text(decode_transfer(encoded, part.encoding), part.charset))
    if part.params.get("format", "").lower() == "flowed":
        return unflow(text, delsp=part.params.get("delsp", "").lower() == "yes")
    return text


def _unix_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


# --- taking apart ----------------------------------------------------------------------------------------------------


class _Parser:
    """One walk over a message; counts its parts."""

    def __init__(self, raw: bytes, limits: Limits, *, source: bytes | None = None, parts: int = 0) -> None:
        self.raw = raw
        self.limits = limits
        self.source = source
        self.parts = parts

    def entity(
        self,
        fields: list[tuple[str, str]],
        start: int,
        end: int,
        *,
        path: str = "",
        message: str | None = None,
        depth: int = 1,
        messages: int = 0,
        default_type: str = "text/plain",
    ) -> Part:
        """The part whose fields are given and whose body is raw[start:end]; `message` is set for a message's body."""
        self.parts += 1
        described = _describe(fields, default_type)
        if described.is_multipart:
            place = path if message is None else body_path(message, multipart=True)
            whole = self.multipart(described, start, end, path=place, depth=depth, messages=messages)
            if whole is not None:
                return whole
            too_deep = depth >= self.limits.depth
            kind, problem = (_OPAQUE, "too-deep") if too_deep else ("text/plain", "no-boundary")
            if end - start < 80 and not self.raw[start:end].strip():
                problem = ""  # an empty message is just that
        else:
            kind, problem = described.media_type, ""
        place = path if message is None else body_path(message, multipart=False)
        leaf = replace(
            described,
            path=place,
            media_type=kind,
            size=end - start,
            start=start,
            end=end,
            source=self.source,
            problem=problem,
        )
        children = self.leaf_children(leaf, depth=depth, messages=messages)
        return replace(leaf, children=children) if children else leaf

    def multipart(self, described: Part, start: int, end: int, *, path: str, depth: int, messages: int) -> Part | None:
        boundary = described.params.get("boundary", "").rstrip().encode("utf-8", "replace")
        if not boundary or len(boundary) > _MAX_BOUNDARY or depth >= self.limits.depth:
            return None
        if "base64" in described.encoding and self.raw.find(b"--" + boundary, start, end) < 0:
            decoded = decode_base64(self.raw[start:end])
            inner = _Parser(decoded, self.limits, source=decoded, parts=self.parts)
            plain = replace(described, encoding="")
            part = inner.multipart(plain, 0, len(decoded), path=path, depth=depth, messages=messages)
            self.parts = inner.parts
            return part
        default = "message/rfc822" if described.media_type == "multipart/digest" else "text/plain"
        children: list[Part] = []
        for number, (first, last) in enumerate(sections(self.raw, start, end, boundary), start=1):
            place = child_path(path, number)
            if self.parts >= self.limits.parts:
                children.append(self.overflow(first, end, path=place))
                break
            header_end, body_start = header_bounds(self.raw, first, last, message=False)
            fields, _ = split_fields(self.raw[first:header_end])
            children.append(
                self.entity(
                    fields,
                    min(body_start, last),
                    last,
                    path=place,
                    depth=depth + 1,
                    messages=messages,
                    default_type=default,
                )
            )
        if not children:
            return None
        return replace(described, path=path, start=start, end=end, source=self.source, children=tuple(children))

    def overflow(self, start: int, end: int, *, path: str) -> Part:
        """All further parts as one attachment."""
        return Part(
            path=path,
            media_type=_OPAQUE,
            size=end - start,
            start=start,
            end=end,
            source=self.source,
            problem="too-many-parts",
        )

    def leaf_children(self, leaf: Part, *, depth: int, messages: int) -> tuple[Part, ...]:
        if leaf.encoding not in _PLAIN_ENCODINGS:
            return ()
        if leaf.is_message and messages < self.limits.messages and depth < self.limits.depth:
            header_end, body_start = header_bounds(self.raw, leaf.start, leaf.end, message=True)
            fields, _ = split_fields(self.raw[leaf.start : header_end])
            inner = self.entity(fields, body_start, leaf.end, message=leaf.path, depth=depth + 1, messages=messages + 1)
            return (inner,)
        if leaf.media_type == "text/plain":
            return find_embedded(self.raw, leaf)
        return ()


def _describe(fields: list[tuple[str, str]], default_type: str) -> Part:
    """A part without place: what its own header fields say."""
    values: dict[str, str] = {}
    for name, value in fields:
        lowered = name.lower()
        if lowered.startswith("content-"):
            values.setdefault(lowered, unfold(value))
    media_type, params = parse_parameterised(values.get("content-type", default_type))
    if not _TYPE.fullmatch(media_type):  # "text", "", "text/plain charset=…"
        # RFC 2045 section 5.2: what cannot be read as a type is plain text; half a type is at least no text
        media_type = "text/html" if "html" in media_type else _OPAQUE if "/" in media_type else "text/plain"
    disposition, more = parse_parameterised(values.get("content-disposition", ""))
    encoding = parse_parameterised(values.get("content-transfer-encoding", ""))[0]
    return Part(
        path="",
        media_type=media_type,
        params=params,
        charset=params.get("charset", ""),
        encoding=safe_line(encoding[:100]),
        disposition=safe_line(disposition[:100]),
        filename=safe_filename(more.get("filename") or params.get("name") or ""),
        content_id=clean_content_id(values.get("content-id", "")),
        content_location=safe_line(values.get("content-location", "")[:1_000]),
        description=safe_line(decode_words(values.get("content-description", "")[:4_000]))[:500],
    )
