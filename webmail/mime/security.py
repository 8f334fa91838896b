"""What a message's structure says about signing and encryption (RFC 1847, RFC 3156, RFC 8551). Nothing is checked.

Nothing is decrypted either, so no part of another message is ever shown beside what was secret (security S46).
"""

from dataclasses import dataclass
from typing import Final, Literal

from webmail.mime.part import Part, walk

_PKCS7: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})


@dataclass(frozen=True, slots=True)
class Protection:
    """`path` is the section of what is locked when it is encrypted, else ""."""

    kind: Literal["signed", "encrypted"]
    how: Literal["openpgp", "smime"]
    path: str = ""


def is_opaque(part: Part) -> bool:
    """Whether the part is CMS with everything inside it."""
    return part.media_type in _PKCS7 or (
        part.media_type == "application/octet-stream" and part.filename.lower().endswith(".p7m")
    )


def is_signed_data(part: Part) -> bool:
    """Whether opening it may give a message; who does not say what it is may be anything."""
    return is_opaque(part) and part.params.get("smime-type", "signed-data").lower() == "signed-data"


def protection_of(root: Part) -> Protection | None:
    """The outermost protection that covers the whole message: a list's footer beside it counts as part of it."""
    part = root
    while part.media_type == "multipart/mixed" and part.children and part.children[0].is_multipart:
        part = part.children[0]
    if part.media_type == "multipart/signed":
        smime = "pkcs7" in part.params.get("protocol", "") or any("pkcs7-sig" in p.media_type for p in part.children)
        return Protection("signed", "smime" if smime else "openpgp")
    if part.media_type == "multipart/encrypted":
        locked = next((child for child in reversed(part.children) if not child.is_multipart), None)
        return Protection("encrypted", "openpgp", locked.path if locked is not None else "")
    if part.media_type in _PKCS7:
        return _opaque(part)
    first = next((leaf for leaf in walk(root) if not leaf.is_multipart), None)
    return _opaque(first) if first is not None and first.media_type in _PKCS7 else None


def _opaque(part: Part) -> Protection | None:
    kind = part.params.get("smime-type", "").lower()
    if kind in ("certs-only", "compressed-data"):
        return None
    if is_signed_data(part) and (kind or part.filename.lower().endswith(".p7s")):
        return Protection("signed", "smime")
    return Protection("encrypted", "smime", part.path)
