"""From a part tree and its octets to what is kept of a message for reading. Pure: fetching is a callable.

Invariants: only what is shown is fetched (the text, and small pictures that the text shows); everything else is listed
by its section so that it can be fetched later; nothing a sender did makes this raise.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

from webmail.mime.parse import content_text, encoded_bytes
from webmail.mime.part import Part, walk
from webmail.mime.preview import html_to_text, snippet
from webmail.mime.reports import Report
from webmail.mime.structure import BodyChoice, choose_body
from webmail.render.html import SANITIZER_VERSION, sanitize
from webmail.render.links import deceptions
from webmail.render.pictures import Places
from webmail.render.seen import shows_words
from webmail.render.text import plain_to_html
from webmail.render.values import PROBLEM_SENTENCES, CleanHtml, Policy
from webmail.sync import contact_cards, invitation, special
from webmail.sync.opening import Inside, Read, embedded_files, open_packages, packages

LARGEST_TEXT = 8 * 2**20  # octets of one text part, as encoded
LARGEST_INLINE = 400 * 2**10  # octets of one picture in the text, as encoded: 300 KB of content
MOST_INLINE = 30
LONGEST_TEXT = 2_000_000  # characters kept
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/avif")
_PLAIN = ("", "7bit", "8bit", "binary")


@dataclass(slots=True)
class Content:
    """What MessageBody keeps.

    ``pictures`` are the parts to bring along, by section; ``octets`` what is here of parts that no server can be asked
    for, decoded, by path; ``suspects`` are (claimed, host) of links; ``image_urls`` are the pictures on other servers
    that have places in ``clean``.
    """

    parts: list[dict[str, Any]]
    text: str = ""
    clean: CleanHtml | None = None
    snippet: str = ""
    problem: str = ""
    pictures: list[Part] = field(default_factory=list)
    suspects: list[list[str]] = field(default_factory=list)
    octets: dict[str, bytes] = field(default_factory=dict)
    special: dict[str, Any] = field(default_factory=dict)
    report: Report | None = None
    image_urls: list[str] = field(default_factory=list)
    version: int = SANITIZER_VERSION

    @property
    def filenames(self) -> list[str]:
        return [part["filename"] for part in self.parts if part["role"] == "attachment" and part["filename"]]


def read_content(root: Part, read: Read) -> Content:
    """The message's readable content; ``read`` is asked for what is shown or has to be opened, and nothing else."""
    choice = choose_body(root)
    inside = open_packages(choice.attachments, read)
    choice = replace(choice, inline={**_identified(inside.parts), **choice.inline})
    used: set[str] = set()
    source, text = _texts(choice, read, inside)
    clean: CleanHtml | None = None
    places, hidden = Places(), False
    if source:
        policy = Policy(cid_url=lambda cid: _cid_url(choice, used, cid), image_url=places.place)
        clean = sanitize(source, policy=policy)
        text = html_to_text(source)
        if _is_blank(text, clean) and (other := _texts(replace(choice, html=None), read, inside)[1]).strip():
            clean, text, used, places = None, other, set(), Places()  # the other rendition says something
        elif text.strip() and not _has_pictures(clean) and not shows_words(clean.html):
            clean, hidden = None, True
    pictures = [
        part
        for cid, part in choice.inline.items()
        if cid in used and part.size <= LARGEST_INLINE and part.path not in inside.octets
    ]
    report = special.read_report(root, choice, read)
    invited = invitation.read(choice, read) | contact_cards.read(choice, read)
    return Content(
        parts=_list(root, choice, used, inside),
        text=text[:LONGEST_TEXT].replace("\0", "\ufffd"),
        clean=clean,
        snippet=snippet(text),
        problem=PROBLEM_SENTENCES[clean.problem] if clean is not None else "",
        pictures=pictures[:MOST_INLINE],
        suspects=_suspects(clean, text),
        octets=inside.octets,
        special=special.describe(root, inside=inside, report=report, blank=_is_blank(text, clean), hidden=hidden)
        | invited,
        report=report,
        image_urls=places.urls,
    )


def _suspects(clean: CleanHtml | None, text: str) -> list[list[str]]:
    """Links that are not what they seem, each pair of sites once."""
    if clean is None and "://" not in text:
        return []
    links = (clean or plain_to_html(text)).links
    return [[found.claimed, found.host] for found in deceptions(links)]


def beginning(raw: bytes, part: Part, most: int = LARGEST_TEXT) -> bytes:
    """The ``read`` of a message that is here whole: at most so many encoded octets of a part."""
    return encoded_bytes(raw, replace(part, end=min(part.end, part.start + most)))


def octets_packed(root: Part) -> int:
    """How many octets `read_content` would ask for beside the texts."""
    return sum(part.size for part in packages(choose_body(root).attachments))


def _texts(choice: BodyChoice, read: Read, inside: Inside) -> tuple[str, str]:
    """The HTML to clean, or else the plain text; what a package holds where the message itself says nothing."""
    if choice.html is not None and (html := _html_of(choice, read)).strip():
        return html, ""
    shown = [part for part in (choice.text, *choice.more) if part is not None]
    text = "\n\n".join(_plain(part, read, inside) for part in shown)
    return ("", text) if text.strip() else (inside.html, inside.text)


def _plain(part: Part, read: Read, inside: Inside) -> str:
    """The text of a part; a server's structure does not tell the files that stand in the middle of it."""
    encoded = read(part)
    if part.start < 0 and part.media_type == "text/plain" and part.encoding in _PLAIN:
        for file, data in embedded_files(part, encoded):
            inside.add(file, data)
    return content_text(encoded, part)


def _identified(parts: Iterable[Part]) -> dict[str, Part]:
    return {part.content_id: part for part in parts if part.content_id}


def _is_blank(text: str, clean: CleanHtml | None) -> bool:
    if text.strip():
        return False
    return clean is None or not _has_pictures(clean)


def _has_pictures(clean: CleanHtml) -> bool:
    return "<img" in clean.html or clean.remote_images > 0


def _html_of(choice: BodyChoice, read: Read) -> str:
    """The HTML rendition and the further texts below it, as one document to clean."""
    assert choice.html is not None
    pieces = [content_text(read(choice.html), choice.html)]
    for part in choice.more:
        text = content_text(read(part), part)
        pieces.append(text if part.media_type == "text/html" else f"<pre>{escape(text)}</pre>")
    return "<hr>".join(pieces)


def _cid_url(choice: BodyChoice, used: set[str], cid: str) -> str | None:
    """A picture of this message, below the frame's own address."""
    part = choice.inline.get(cid)
    if part is None or part.media_type not in _IMAGES:
        return None
    used.add(cid)
    return f"c/{part.path}"


def _list(root: Part, choice: BodyChoice, used: set[str], inside: Inside) -> list[dict[str, Any]]:
    """Every leaf as MessageBody.parts holds it, with its role; what was inside of others comes last."""
    texts = [part for part in (choice.text, choice.html, *choice.more) if part is not None]
    attached = {part.path for part in (*choice.attachments, *choice.unreferenced(used))}
    inline = {part.path for part in choice.inline.values()}
    rows = []
    below: str | None = None  # an attached message is one leaf: what is in it belongs to it
    for part in walk(root):
        if part.is_multipart or (below is not None and part.path.startswith(below)):
            continue
        below = f"{part.path}." if part.is_message else None
        if part.path in inside.opened:
            role = "package"
        elif part.path in attached:
            role = "attachment"
        elif part in texts:
            role = "html" if part.media_type == "text/html" else "text"
        else:
            role = "inline" if part.path in inline else "attachment"
        rows.append(_row(part, role))
    return rows + [_row(part, "inline" if part.content_id in used else "attachment") for part in inside.parts]


def _row(part: Part, role: str) -> dict[str, Any]:
    return {
        "path": part.path,
        "type": part.media_type,
        "charset": part.charset,
        "encoding": part.encoding,
        "size": _decoded_size(part),
        "filename": part.shown_name if role in ("attachment", "inline", "package") else part.filename,
        "disposition": part.disposition,
        "cid": part.content_id,
        "digest": "",
        "role": role,
    }


def _decoded_size(part: Part) -> int:
    """About how many octets the content has: base64 carries 57 in a line of 78."""
    return part.size * 57 // 78 if "base64" in part.encoding.lower() else part.size


def first_text(root: Part) -> Part | None:
    """The part a snippet is made from."""
    choice = choose_body(root)
    return choice.text or choice.html


def snippet_of(part: Part, encoded: bytes) -> str:
    """The list's line of text from the beginning of a text part."""
    text = content_text(encoded, part)
    return snippet(html_to_text(text) if part.media_type == "text/html" else text)[:400]
