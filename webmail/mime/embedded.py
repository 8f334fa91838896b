"""Files inside plain text: uuencode (POSIX) and yEnc blocks, shown as attachments of the text.

Invariants: linear; a `begin` without its `end` is text. The part of a file has a path no IMAP section has ("1.U1").
"""

import re
from collections.abc import Iterator
from typing import Final

from webmail.mime.charset import decode_text
from webmail.mime.filenames import media_type_of, safe_filename
from webmail.mime.part import Part

_MAX_FILES = 100
_BEGIN: Final = re.compile(
    rb"^(?:begin [0-7]{3,4} (?P<uu>[^\r\n]{1,500})\r?\n(?=[ -`]{2,90}\r?\n|`\r?\n)"
    rb"|=ybegin [^\r\n]{0,500}?\bname=(?P<yenc>[^\r\n]{1,500})\r?\n)",
    re.MULTILINE,
)
_UU_END: Final = re.compile(rb"^end[ \t]*\r?(?:\n|\Z)", re.MULTILINE)
_YENC_END: Final = re.compile(rb"^=yend[^\r\n]*\r?(?:\n|\Z)", re.MULTILINE)


def _blocks(raw: bytes, start: int, end: int) -> Iterator[tuple[int, int, str, bytes]]:
    """(start, end, encoding, raw file name) of each block in raw[start:end]."""
    if raw.find(b"begin ", start, end) < 0:
        return
    position = start
    for _ in range(_MAX_FILES):
        begin = _BEGIN.search(raw, position, end)
        if begin is None:
            return
        is_uu = begin["uu"] is not None
        closing = (_UU_END if is_uu else _YENC_END).search(raw, begin.end(), end)
        if closing is None:
            return
        yield begin.start(), closing.end(), "x-uuencode" if is_uu else "x-yenc", begin["uu"] or begin["yenc"]
        position = closing.end()


def find_embedded(raw: bytes, text: Part) -> tuple[Part, ...]:
    """The files in the plain text part `text`, as parts by offsets into `raw`."""
    found: list[Part] = []
    for number, (start, end, encoding, name) in enumerate(_blocks(raw, text.start, text.end), start=1):
        filename = safe_filename(decode_text(name.strip(b' "'), None))
        found.append(
            Part(
                path=f"{text.path}.U{number}",
                media_type=media_type_of(filename),
                encoding=encoding,
                size=end - start,
                disposition="attachment",
                filename=filename,
                start=start,
                end=end,
                source=text.source,
            )
        )
    return tuple(found)


def without_embedded(content: bytes) -> bytes:
    """`content` of a text part without such blocks."""
    pieces: list[bytes] = []
    position = 0
    for start, end, _, _ in _blocks(content, 0, len(content)):
        pieces.append(content[position:start])
        position = end
    return b"".join([*pieces, content[position:]]) if pieces else content
