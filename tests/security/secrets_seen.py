"""A secret in the forms it could leak in."""

import base64
import quopri
from urllib.parse import quote, quote_plus

PLAIN = "s3cr3t-Ostrich-77-Quarry"
BEYOND_ASCII = "gehéim-Straße-77-鍵"


def forms(secret: str) -> dict[str, bytes]:
    """The secret as it is, and as base64 (at each offset), quoted-printable, URL, hexadecimal and escapes show it."""
    raw = secret.encode()
    found = {
        "raw": raw,
        "latin-1": secret.encode("latin-1", "replace") if secret.isascii() else raw,
        "quoted-printable": quopri.encodestring(raw),
        "header quoted-printable": quopri.encodestring(raw, header=True),
        "url": quote(secret).encode(),
        "form": quote_plus(secret).encode(),
        "hex": raw.hex().encode(),
        "escaped": secret.encode("unicode_escape"),
        "bytes": repr(raw)[2:-1].encode(),
    }
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw)
        found[f"base64 after {offset}"] = encoded[(0, 2, 3)[offset] : len(encoded) // 4 * 4 - 4]
    return found


def seen(secret: str, *where: bytes | str) -> list[str]:
    """The forms of the secret that stand in any of the texts."""
    texts = [text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text for text in where]
    return [form for form, value in forms(secret).items() if any(value in text for text in texts)]
