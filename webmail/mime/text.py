"""What a single line of untrusted text may hold before it is stored or shown (security S05, S45).

Invariants: the result has no control character, line break, bidi control, lone surrogate or invisible padding; what was
taken out is told by a warning code.
"""

import re
from collections.abc import MutableSet
from typing import Final

BIDI: Final = "bidi"
ZERO_WIDTH: Final = "zero-width"
CONTROL: Final = "control"
PADDING: Final = "padding"

_SUSPECT: Final = re.compile(
    "[\0-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u180e\u2000-\u200b\u200e\u200f\u2028-\u202f\u205f-\u206f\u3164\ufeff"
    "\uffa0\ufff9-\ufffb\ud800-\udfff]|  "
)
_BREAKS: Final = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
_CONTROLS: Final = re.compile("[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufff9-\ufffb\ud800-\udfff]")
_OVERRIDES: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_MARKS: Final = re.compile("[\u061c\u200e\u200f]")  # everyday in Arabic and Hebrew: dropped without alarm
_INVISIBLE: Final = re.compile("[\xad\u034f\u115f\u1160\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0]")
_UNSEEN: Final = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_BLANKS: Final = re.compile(r"\s{2,}")
_PADDING_RUN = 12  # blanks in a row that no typist makes


def clean_line(text: str, warnings: MutableSet[str]) -> str:
    """`text` as one safe line, stripped, runs of blanks made one; adds to `warnings` what it had to remove."""
    if _SUSPECT.search(text) is None:
        return text.strip()
    text = _BREAKS.sub(" ", text)
    for pattern, code in ((_CONTROLS, CONTROL), (_OVERRIDES, BIDI), (_INVISIBLE, ZERO_WIDTH)):
        text, count = pattern.subn("", text)
        if count:
            warnings.add(code)
    text = _MARKS.sub("", text).strip()
    if any(len(run) >= _PADDING_RUN for run in _BLANKS.findall(text)):
        warnings.add(PADDING)
    return _BLANKS.sub(" ", text)


def safe_line(text: str) -> str:
    """`clean_line` for callers that have no use for the warnings."""
    return clean_line(text, set())


def visible(text: str) -> str:
    """`text` without the characters that leave no mark on the page: joiners, fillers, marks of direction."""
    return text if text.isascii() else _UNSEEN.sub("", text)
