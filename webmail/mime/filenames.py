"""File names from mail, made safe to show, to download and to put in an archive (security S19; RFC 6266 section 4.3).

Invariants: a safe name has no path, no control or bidi character, is at most 150 characters and 255 octets of UTF-8,
is not a device name, and keeps its extension.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from webmail.mime.text import safe_line

MAX_CHARACTERS = 150
MAX_OCTETS = 255
_FORBIDDEN: Final = re.compile(r'[<>:"|?*]+')
# Windows overlooks blanks before the extension.
_DEVICES: Final = re.compile(r"(?:con|conin\$|conout\$|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(?:\.|$)", re.IGNORECASE)
_EXTENSION: Final = re.compile(r"\.[^.\s]{1,20}$")

_EXTENSIONS: Final = {
    "text/plain": ".txt", "text/html": ".html", "text/calendar": ".ics", "text/vcard": ".vcf", "text/x-vcard": ".vcf",
    "text/csv": ".csv", "text/rfc822-headers": ".txt", "message/rfc822": ".eml", "message/global": ".eml",
    "message/delivery-status": ".txt", "message/disposition-notification": ".txt", "application/pdf": ".pdf",
    "application/zip": ".zip", "application/ms-tnef": ".dat", "application/json": ".json", "application/xml": ".xml",
    "application/msword": ".doc", "application/vnd.ms-excel": ".xls", "application/pgp-signature": ".asc",
    "application/pgp-encrypted": ".asc", "application/pkcs7-signature": ".p7s", "application/x-pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m", "application/x-pkcs7-mime": ".p7m", "application/octet-stream": ".bin",
    "image/jpeg": ".jpg", "image/jpg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp",
    "image/svg+xml": ".svg", "image/heic": ".heic", "image/tiff": ".tif", "image/bmp": ".bmp", "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg", "audio/wav": ".wav", "audio/x-wav": ".wav", "video/mp4": ".mp4", "video/mpeg": ".mpg",
    "video/quicktime": ".mov",
}  # fmt: skip
_TYPES: Final = {extension: media_type for media_type, extension in reversed(_EXTENSIONS.items())}


def media_type_of(filename: str) -> str:
    """The media type a file name's extension stands for, `application/octet-stream` when nobody knows."""
    dot, extension = filename.lower().rpartition(".")[1:]
    return _TYPES.get(dot + extension, "application/octet-stream")


def safe_filename(name: str) -> str:
    """`name` reduced to a harmless base name, or "" when nothing of it is left.

    >>> safe_filename("../../etc/pass\\u202ewd")
    'passwd'
    """
    name = safe_line(name[:20_000])
    name = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2][:1_000])
    name = _FORBIDDEN.sub("_", name).strip(" .\t") if not name.startswith(".") else _dotted(name)
    if _DEVICES.match(name):
        name = "_" + name
    return _shorten(name)


def unique_names(names: Iterable[str]) -> list[str]:
    """Safe names for the files of one archive: no two are equal on a disk that knows no case (security S19).

    >>> unique_names(["a/Plan.pdf", "plan.pdf", ""])
    ['Plan.pdf', 'plan (2).pdf', 'attachment']
    """
    taken: set[str] = set()
    last: dict[str, int] = {}  # the number that a name like it was given last: a thousand equal ones cost no million
    found = []
    for given in names:
        name = unique = safe_filename(given) or "attachment"
        extension = match[0] if (match := _EXTENSION.search(name)) else ""
        stem = name[: len(name) - len(extension)]
        family = _folded(_shorten_to(stem, f" (1000){extension}") + extension)
        while _folded(unique) in taken:
            last[family] = last.get(family, 1) + 1
            tail = f" ({last[family]}){extension}"
            unique = _shorten_to(stem, tail) + tail
        taken.add(_folded(unique))
        found.append(unique)
    return found


def _folded(name: str) -> str:
    """What is equal on a disk that knows no case."""
    return unicodedata.normalize("NFC", name.casefold())


def _dotted(name: str) -> str:
    """`.bashrc` keeps its meaning without being hidden; `..` and `.` are nothing."""
    stripped = _FORBIDDEN.sub("_", name).strip(" .\t")
    return "_" + stripped if stripped else ""


def _shorten(name: str) -> str:
    if len(name) <= MAX_CHARACTERS and len(name.encode()) <= MAX_OCTETS:
        return name
    extension = found[0] if (found := _EXTENSION.search(name)) else ""
    return _shorten_to(name[: len(name) - len(extension)], extension) + extension


def _shorten_to(stem: str, tail: str) -> str:
    """As much of `stem` as leaves room for what follows it."""
    room = MAX_OCTETS - len(tail.encode())
    return stem[: MAX_CHARACTERS - len(tail)].encode()[:room].decode("utf-8", "ignore").rstrip(" .")


def synthesised_filename(media_type: str, *, stem: str = "") -> str:
    """A name for a part that has none: `stem` or the kind of thing it is, with the type's usual extension."""
    kind = media_type.partition("/")[0]
    default = {"image": "image", "audio": "audio", "video": "video", "message": "message", "text": "text"}
    base = safe_filename(stem)[:100] or default.get(kind, "attachment")
    extension = _EXTENSIONS.get(media_type, ".bin" if kind not in ("text", "message") else ".txt")
    return base if base.lower().endswith(extension) else base + extension
