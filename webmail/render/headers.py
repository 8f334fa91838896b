"""The HTTP headers under which mail content leaves the server: the second wall behind the sanitizer.

The header's own ``sandbox`` keeps the document's origin opaque even where the frame's attribute is missing, and even on
an install that serves the application and mail content from one host.
"""

import re
import unicodedata
from urllib.parse import quote

MAX_FILENAME = 150

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+\Z")
_NONCE = re.compile(r"[A-Za-z0-9_\-+/=]{16,128}\Z")
_PATH = re.compile(r"(?:/[A-Za-z0-9_.:\-]+)*\Z")
_SANDBOX = "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox"
_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_SAFE_TYPES = _PICTURES | {"text/plain", "application/pdf"}
SOUNDS = frozenset(
    {"audio/mpeg", "audio/mp4", "audio/x-m4a", "audio/aac", "audio/ogg", "audio/wav", "audio/x-wav", "audio/webm"}
    | {"audio/flac", "audio/x-flac"}
)
FILMS = frozenset({"video/mp4", "video/webm", "video/ogg", "video/quicktime"})
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
MEDIA = SOUNDS | FILMS | PICTURES
# Browsers show a PDF by a plug-in that a sandboxed document may not start, so it is offered for download.
_INLINE_TYPES = _SAFE_TYPES - {"application/pdf"}
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)\Z", re.IGNORECASE)
_UNFIT = frozenset('<>:"|?*')


def check_origin(origin: str) -> str:
    """``origin`` itself when it is a scheme and host that may stand in a policy; ValueError otherwise."""
    if not _ORIGIN.match(origin):
        raise ValueError("an origin must look like https://mail.example.org")
    return origin


def check_nonce(nonce: str) -> str:
    """``nonce`` itself when it is 16 to 128 characters of base64; ValueError otherwise."""
    if not _NONCE.match(nonce):
        raise ValueError("a nonce must be 16 to 128 characters of base64")
    return nonce


def _check_path(path: str) -> str:
    if not _PATH.match(path):
        raise ValueError("a path in a policy holds letters, digits and -_.:/ alone")
    return path


def frame_headers(*, nonce: str, app_origin: str, content_origin: str, remote: bool, path: str = "") -> dict[str, str]:
    """Headers of one message document, which may load its own pictures below ``path``/c/ and nothing else.

    ``path`` is the document's own, without its final slash; ``remote`` lets it load from the image proxy, /i/.
    """
    content = check_origin(content_origin)
    # Pictures inside the message (data:, raster kinds only) need no request, so holding them back protects nothing.
    images = [f"{content}/i/"] * remote + [f"{content}{_check_path(path)}/c/", "data:"]
    policy = [
        "default-src 'none'",
        f"img-src {' '.join(images)}",
        "style-src 'unsafe-inline'",
        f"script-src 'nonce-{check_nonce(nonce)}'",
        "base-uri 'none'",
        "form-action 'none'",
        f"frame-ancestors {check_origin(app_origin)}",
        _SANDBOX,
    ]
    return {
        "Content-Security-Policy": "; ".join(policy),
        "Content-Type": "text/html; charset=utf-8",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "X-DNS-Prefetch-Control": "off",
        "Cache-Control": "private, no-store",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), fullscreen=(), "
        "clipboard-read=(), clipboard-write=()",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }


def download_headers(filename: str, content_type: str, *, inline: bool, embedded: bool = False) -> dict[str, str]:
    """Headers of one attachment (RFC 6266). ``inline`` is honoured for raster pictures and plain text only.

    ``embedded`` is for the pictures of a message, which its document, of an opaque origin, has to be able to load.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in _SAFE_TYPES:
        media_type = "application/octet-stream"
    disposition = "inline" if inline and media_type in _INLINE_TYPES else "attachment"
    return {
        "Content-Type": media_type + ("; charset=utf-8" if media_type == "text/plain" else ""),
        "Content-Disposition": f"{disposition}; {filename_parameters(filename)}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "cross-origin" if embedded else "same-site",
        "Cache-Control": "private, no-store",
    }


def media_headers(filename: str, content_type: str) -> dict[str, str]:
    """Headers of a picture, film or sound that a page of ours shows; ValueError for what is none of these.

    Whoever opens its address as a page gets it under a policy that runs nothing.
    """
    if content_type not in MEDIA:
        raise ValueError("only pictures, films and sounds are shown by themselves")
    return {
        "Content-Type": content_type,
        "Content-Disposition": f"inline; {filename_parameters(filename)}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Cache-Control": "private, no-store",
    }


def picture_headers(media_type: str, *, kept: bool) -> dict[str, str]:
    """Headers of one picture of the image proxy, which wrote it itself; ``kept`` by the browser for a day."""
    if media_type not in _PICTURES:
        raise ValueError("the image proxy writes pictures alone")
    return {
        "Content-Type": media_type,
        "Content-Disposition": 'inline; filename="image.png"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Cache-Control": "private, max-age=86400, immutable" if kept else "private, no-store",
    }


def filename_parameters(filename: str) -> str:
    """``filename`` and, where it is not plain ASCII, ``filename*`` (RFC 8187) of a Content-Disposition."""
    name = safe_filename(filename)
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    ascii_name = re.sub(r"[^\w .,()+=@~-]", "_", ascii_name, flags=re.ASCII).strip(" .") or "attachment"
    plain = f'filename="{ascii_name}"'
    return plain if ascii_name == name else f"{plain}; filename*=UTF-8''{quote(name, safe='')}"


def safe_filename(name: str) -> str:
    """A file name that any system can store: one path segment, no control or direction characters, at most 150 long.

    The extension is kept; "attachment" when nothing is left.
    """
    name = unicodedata.normalize("NFC", name[-5_000:]).replace("\\", "/").rpartition("/")[2]
    # Cc, Cf, Cs, Co, Cn: controls, direction marks and zero widths, lone surrogates, private and unassigned.
    kept = "".join(" " if char.isspace() else char for char in name if unicodedata.category(char)[0] != "C")
    kept = "".join("_" if char in _UNFIT else char for char in kept).strip(" .")
    stem, dot, extension = kept.rpartition(".")
    if not dot or len(extension) > 20:
        stem, extension = kept, ""
    if _DEVICES.match(stem.partition(".")[0].strip()):
        stem = "_" + stem
    stem = stem[: MAX_FILENAME - len(extension) - 1].rstrip(" .")
    return (f"{stem}.{extension}" if extension else stem) or "attachment"
