"""Which parts of a message are offered as its files, and which of them belongs to its line about signing.

Read from what is stored with the content, so that it holds for all mail at once. Nothing is out of reach: the signature
is offered beside the words that tell of it.
"""

from collections.abc import Mapping
from typing import Any, Final

from webmail.models import MessageBody

_LARGEST_VERSION: Final = 200  # octets of a part that names the version of OpenPGP
_LARGEST_SIGNATURE: Final = 64 * 2**10  # octets; what is longer carries something else
_SIGNATURES: Final[Mapping[str, frozenset[str]]] = {
    "openpgp": frozenset({"application/pgp-signature"}),
    "smime": frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature"}),
}


def files(body: MessageBody) -> list[dict[str, Any]]:
    """The rows of ``body.parts`` that are listed as files; the version beside a ciphertext is nobody's (RFC 3156)."""
    belonging = signature_path(body)
    return [
        part
        for part in body.parts
        if part["role"] == "attachment" and part["path"] != belonging and not _is_version(part)
    ]


def signature_path(body: MessageBody) -> str:
    """The section of the detached signature that covers the message (RFC 1847 section 2.1); "" where there is none.

    Signatures of what is inside come before it.
    """
    told = body.special.get("protection") or {}
    kinds = _SIGNATURES.get(told.get("how", ""), frozenset()) if told.get("kind") == "signed" else frozenset()
    found = (part for part in reversed(body.parts) if part["role"] == "attachment" and part["type"] in kinds)
    part = next(found, None)
    return str(part["path"]) if part is not None and part["size"] <= _LARGEST_SIGNATURE else ""


def _is_version(part: Mapping[str, Any]) -> bool:
    return bool(part["type"] == "application/pgp-encrypted" and part["size"] <= _LARGEST_VERSION)
