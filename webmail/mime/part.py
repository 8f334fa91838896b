"""The part tree: one value for what a server's BODYSTRUCTURE tells and for what we parse ourselves.

Paths are IMAP section numbers (RFC 3501 section 6.4.5): a message that is one leaf has its leaf at "1"; children of the
outermost multipart are "1", "2"; those of an attached message at "2" are "2.1", "2.2". The multipart that is itself the
body of a message has no number of its own and is called "TEXT" (or "2.TEXT"), as in `BODY[2.TEXT]`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from webmail.mime.filenames import synthesised_filename
from webmail.mime.text import safe_line

NESTING = 50  # levels of parts inside parts, the outermost being 1
PARTS = 1_000
NESTED_MESSAGES = 5


@dataclass(frozen=True, slots=True)
class Part:
    """A MIME part.

    `media_type` is lower case ("text/plain"); `size` is in octets as encoded; `disposition` is "attachment", "inline"
    or "" (any other word is kept, lower case); `filename` is a safe name or "" when the part names none;
    `content_id` has no angle brackets. `start` and `end` are offsets of the encoded content in the raw message, -1 when
    the tree came from BODYSTRUCTURE; `source` replaces the raw message where an enclosing part had to be decoded to get
    here. `subject` is that of an attached message. `problem` is a code for why a part is shown as less than it
    claims to be: too-deep, too-many-parts, no-boundary, or "".
    """

    path: str
    media_type: str
    params: Mapping[str, str] = field(default_factory=dict)
    charset: str = ""
    encoding: str = ""
    size: int = 0
    disposition: str = ""
    filename: str = ""
    content_id: str = ""
    content_location: str = ""
    description: str = ""
    subject: str = ""
    children: tuple["Part", ...] = ()
    start: int = -1
    end: int = -1
    source: bytes | None = field(default=None, repr=False)
    problem: str = ""

    @property
    def is_multipart(self) -> bool:
        return self.media_type.startswith("multipart/")

    @property
    def is_message(self) -> bool:
        return self.media_type in ("message/rfc822", "message/global")

    @property
    def is_text(self) -> bool:
        return self.media_type.startswith("text/")

    @property
    def shown_name(self) -> str:
        """The file name to show and to save under; made up from the type (or the subject) when there is none."""
        return self.filename or synthesised_filename(self.media_type, stem=self.subject or self.description)


def walk(part: Part) -> Iterator[Part]:
    """`part` and everything below it, in document order."""
    pending = [part]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(current.children))


def find_part(root: Part, path: str) -> Part | None:
    """The part with that section number, or None."""
    return next((part for part in walk(root) if part.path == path), None)


def child_path(parent: str, number: int) -> str:
    """The section number of a multipart's child; the "TEXT" of an enclosing message adds no level."""
    base = "" if parent == "TEXT" else parent.removesuffix(".TEXT")
    return f"{base}.{number}" if base else str(number)


def body_path(message: str, *, multipart: bool) -> str:
    """The section of the body of the message at `message` ("" for the outermost one)."""
    last = "TEXT" if multipart else "1"
    return f"{message}.{last}" if message else last


def clean_content_id(value: str) -> str:
    """A Content-ID without brackets and blanks, as `cid:` URLs refer to it (RFC 2392)."""
    return safe_line(value[:1_000]).strip("<> ")
