"""RFC 2047 encoded words as they are really written: glued, split inside a character, unpadded, with blanks.

Invariants: never raises; linear; the result may still hold control characters, which `text.clean_line` removes.
"""

import binascii
import re
from typing import Final

from webmail.mime.charset import decode_text
from webmail.mime.transfer import decode_base64

_WORD: Final = re.compile(r"=\?([^?\s]{0,60})\?([bBqQ])\?(.*?)\?=", re.DOTALL)


def decode_words(value: str) -> str:
    """`value` with its encoded words decoded; neighbours of one charset are joined before decoding.

    >>> decode_words("=?utf-8?Q?caf=C3?= =?utf-8?Q?=A9?=!")
    'café!'
    """
    end = value.rfind("?=") if "=?" in value else -1
    if end < 0:
        return value
    out: list[str] = []
    run: list[str] = []
    kind = ("", "")
    position = 0
    # Searching only up to the last terminator keeps a row of unterminated words linear.
    for word in _WORD.finditer(value, 0, end + 2):
        gap = value[position : word.start()]
        word_kind = (word[1].lower(), word[2].lower())
        adjacent = bool(run) and (not gap or gap.isspace())
        if not (adjacent and word_kind == kind):
            if run:
                out.append(_decode_run(run, *kind))
                run = []
            if not adjacent:
                out.append(gap)
        run.append(word[3])
        kind = word_kind
        position = word.end()
    if run:
        out.append(_decode_run(run, *kind))
    out.append(value[position:])
    return "".join(out)


def _decode_run(payloads: list[str], charset: str, encoding: str) -> str:
    joined = "".join(payloads).encode("utf-8", "replace")
    data = decode_base64(joined) if encoding == "b" else binascii.a2b_qp(joined, header=True)
    if b"\0" in data and not charset.startswith(("utf-16", "utf-32")):
        data = data.replace(b"\0", b"\x01")  # a control character to be removed and told, not the U+FFFD of body text
    return decode_text(data, charset.partition("*")[0])  # "utf-8*de" carries a language, RFC 2231 section 5
