"""What of a part tree is the text, what is a picture in it, and what is an attachment (RFC 2046 section 5.1, RFC 2387).

Invariants: pure and total; every leaf with content is reachable through the answer, so nothing a sender sent is hidden.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from webmail.mime.bodystructure import parse_bodystructure
from webmail.mime.part import Part, find_part, walk

__all__ = [
    "BodyChoice",
    "Part",
    "choose_body",
    "find_part",
    "has_attachments",
    "parse_bodystructure",
    "tree_has_attachments",
    "walk",
]

_SIGNATURES: Final = frozenset(
    {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
)
_REPORTS: Final = frozenset(
    {"message/delivery-status", "message/disposition-notification", "message/feedback-report"}
    | {"message/global-delivery-status"}
)
_NEVER_BODY: Final = frozenset(
    {"text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/rfc822-headers", "text/csv", "text/css"}
    | {"text/xml", "text/javascript", "text/rtf", "text/x-amp-html", "text/x-watch-html"}
)
_RENDITIONS: Final = frozenset({"text/x-amp-html", "text/x-watch-html"})


@dataclass(frozen=True, slots=True)
class BodyChoice:
    """What to show of a message.

    `text` and `html` are two renditions of one thing where both are there. `more` are further texts to show below, in
    order. `inline` maps a Content-ID to its part; such a part is in `attachments` too only when the sender declared it
    an attachment. `calendar` are invitations, `report` the machine-readable part of a multipart/report; both are among
    the attachments as well when they could not be shown otherwise. `security` is "signed", "encrypted" or "".
    """

    text: Part | None = None
    html: Part | None = None
    inline: Mapping[str, Part] = field(default_factory=dict)
    attachments: tuple[Part, ...] = ()
    more: tuple[Part, ...] = ()
    calendar: tuple[Part, ...] = ()
    report: Part | None = None
    security: str = ""

    def unreferenced(self, used: Iterable[str]) -> tuple[Part, ...]:
        """Inline parts that the shown HTML does not refer to (`used` content ids): to be offered as attachments."""
        known = {*used}
        return tuple(part for cid, part in self.inline.items() if cid not in known and part not in self.attachments)


@dataclass(slots=True)
class _Draft:
    text: Part | None = None
    html: Part | None = None
    inline: dict[str, Part] = field(default_factory=dict)
    attachments: list[Part] = field(default_factory=list)
    more: list[Part] = field(default_factory=list)
    calendar: list[Part] = field(default_factory=list)
    report: Part | None = None
    security: str = ""

    @property
    def has_body(self) -> bool:
        return self.text is not None or self.html is not None


def choose_body(root: Part) -> BodyChoice:
    """The parts of a message by what they are for."""
    draft = _Draft()
    _visit(root, draft, related=False)
    if not draft.has_body and not draft.report and draft.attachments[:1] == [root] and _could_be_text(root):
        draft.attachments.clear()  # the whole message is one text "attachment": show it rather than nothing
        _take_text(root, draft)
    if draft.html is None:  # nothing can refer to them
        draft.attachments += [part for part in draft.inline.values() if part not in draft.attachments]
        draft.inline = {}
    return BodyChoice(
        text=draft.text,
        html=draft.html,
        inline=draft.inline,
        attachments=tuple(draft.attachments),
        more=tuple(draft.more),
        calendar=tuple(draft.calendar),
        report=draft.report,
        security=draft.security,
    )


def _visit(part: Part, draft: _Draft, *, related: bool) -> None:
    if not part.is_multipart:
        _visit_leaf(part, draft, related=related)
    elif part.media_type == "multipart/alternative":
        _visit_alternative(part, draft, related=related)
    elif part.media_type == "multipart/related":
        _visit_related(part, draft)
    else:
        if part.media_type in ("multipart/signed", "multipart/encrypted"):
            draft.security = draft.security or part.media_type.removeprefix("multipart/")
        for child in part.children:
            _visit(child, draft, related=related)


def _visit_alternative(part: Part, draft: _Draft, *, related: bool) -> None:
    """The last HTML and the last plain text are the renditions; what only one alternative holds is kept."""
    options: list[_Draft] = []
    for child in part.children:
        if child.media_type in _RENDITIONS:
            continue
        option = _Draft()
        _visit(child, option, related=related)
        options.append(option)
    html = next((option for option in reversed(options) if option.html), None)
    text = next((option for option in reversed(options) if option.text and not option.html), None)
    chosen = [option for option in options if option is html or option is text]
    main = html or text
    for option in options:
        draft.calendar += option.calendar
        draft.attachments += [item for item in option.attachments if item not in draft.attachments]
        draft.inline = {**option.inline, **draft.inline}
        draft.report = draft.report or option.report
        draft.security = draft.security or option.security
    if main is None:
        return
    bodies = [main.html, next((option.text for option in reversed(chosen) if option.text), None)]
    if draft.has_body:
        draft.more += [body for body in (bodies[0] or bodies[1],) if body]
    else:
        draft.html, draft.text = bodies
    draft.more += main.more


def _visit_related(part: Part, draft: _Draft) -> None:
    start = part.params.get("start", "").strip("<> ")
    root = next((child for child in part.children if start and child.content_id == start), None)
    root = root or next(iter(part.children), None)
    if root is not None:
        _visit(root, draft, related=False)
    for child in part.children:
        if child is not root:
            _visit(child, draft, related=True)


def _visit_leaf(part: Part, draft: _Draft, *, related: bool) -> None:
    kind = part.media_type
    if kind == "text/calendar":
        draft.calendar.append(part)
        if part.filename or not draft.has_body:
            draft.attachments.append(part)
    elif kind in _REPORTS:
        draft.report = draft.report or part
        draft.attachments.append(part)
    elif _is_body_text(part, first=not draft.has_body) and not (related and part.content_id and draft.html):
        _take_text(part, draft)
    elif _is_inline(part, related=related):
        draft.inline.setdefault(part.content_id or part.content_location, part)
        if part.disposition == "attachment" and not related:
            draft.attachments.append(part)
    else:
        draft.attachments.append(part)


def _take_text(part: Part, draft: _Draft) -> None:
    if draft.has_body:
        draft.more.append(part)
    elif part.media_type == "text/html":
        draft.html = part
    else:
        draft.text = part
    draft.attachments += part.children  # files found inside the text (uuencode, yEnc)


def _could_be_text(part: Part) -> bool:
    return part.is_text and part.media_type not in _NEVER_BODY and not part.filename


def _is_body_text(part: Part, *, first: bool) -> bool:
    if not part.is_text or part.media_type in _NEVER_BODY or part.disposition == "attachment":
        return False
    if part.filename:
        return first and part.media_type in ("text/plain", "text/html") and part.disposition != "inline"
    return part.media_type in ("text/plain", "text/html") or first


def _is_inline(part: Part, *, related: bool) -> bool:
    named = bool(part.content_id or (related and part.content_location))
    if not named or part.is_message:
        return False
    return related or part.media_type.startswith("image/")


# --- the paperclip ---------------------------------------------------------------------------------------------------

_CLIP: Final = re.compile(rb'\("attachment"|\("message" "(?:rfc822|global)"', re.IGNORECASE)
_NAMED: Final = re.compile(rb'"(?:file)?name|\{', re.IGNORECASE)
_LEAF: Final = re.compile(rb'\("(?:application|image|audio|video|font|model|x-[^"]*)" "', re.IGNORECASE)
_IDENTIFIED: Final = re.compile(
    rb'\("(?:application|image|audio|video|font|model|x-[^"]*)" "[^"]*" (?:NIL|\([^()]*\)) "', re.IGNORECASE
)
_SIGNED: Final = re.compile(rb"-signature|pgp-encrypted", re.IGNORECASE)


def has_attachments(raw_bodystructure: bytes) -> bool:
    """Whether a list should show the paperclip; decided on the bytes, the tree being read only in doubt."""
    if _CLIP.search(raw_bodystructure):
        if not _SIGNED.search(raw_bodystructure):
            return True
    elif not _NAMED.search(raw_bodystructure):
        return False
    elif b"{" not in raw_bodystructure:
        leaves = len(_LEAF.findall(raw_bodystructure))
        if leaves and leaves == len(_IDENTIFIED.findall(raw_bodystructure)):
            return False  # a newsletter's pictures: every one has a Content-ID
    root = parse_bodystructure(raw_bodystructure)
    return tree_has_attachments(root) if root else _CLIP.search(raw_bodystructure) is not None


def tree_has_attachments(root: Part) -> bool:
    """The same for a parsed tree: an attachment by declaration, an attached message, a named leaf no HTML shows."""
    pending = [root]
    while pending:
        part = pending.pop()
        if part.is_multipart:
            pending += part.children
        elif part.media_type in _SIGNATURES or part.media_type == "application/pgp-encrypted":
            continue
        elif part.disposition == "attachment" or part.is_message or (part.is_text and part.children):
            return True
        else:
            named = part.filename and not part.is_text and not part.content_id
            if named:
                return True
    return False
