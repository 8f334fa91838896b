"""What a message is besides text and files: a report, signed or encrypted, or too broken to show. Pure.

``MessageBody.special`` holds it: ``{"notes": [code, …], "protection": {"kind", "how", "path"}, "report": {…},
"blank": true, "return_path": address, "invitation": {…}, "cards": […]}``, each only where there is something to say.
Words are found when it is shown.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from webmail.mime import reports
from webmail.mime.part import Part, walk
from webmail.mime.reports import Report
from webmail.mime.security import protection_of
from webmail.mime.structure import BodyChoice
from webmail.mime.transfer import decode_transfer
from webmail.sync.opening import Inside, Read

EMPTY, NO_TEXT, HIDDEN = "empty", "no-text", "hidden"
_MOST_PARTS = 20
_TEXTS: Final = ("text/plain", "text/html")
_RETURNED: Final = ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")


def read_report(root: Part, choice: BodyChoice, read: Read) -> Report | None:
    """The report in a multipart/report, with the id of what it is about. Raises what ``read`` raises."""
    kind = choice.report.media_type if choice.report is not None else ""
    if not reports.is_report(kind):
        return None
    parts = [part for part in walk(root) if part.media_type == kind][:_MOST_PARTS]  # one for each recipient, by some
    content = b"\r\n\r\n".join(decode_transfer(read(part, reports.LARGEST), part.encoding) for part in parts)
    report = reports.parse_report(kind, content)
    if report is None or report.original_id:
        return report
    returned = next((leaf for leaf in walk(root) if leaf.media_type in _RETURNED), None)
    if returned is None:
        return report
    head = decode_transfer(read(returned, reports.LARGEST), returned.encoding)
    return replace(report, original_id=reports.original_id(head))


def describe(root: Part, *, inside: Inside, report: Report | None, blank: bool, hidden: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    notes = _problems(root) + [HIDDEN] * hidden
    protection = protection_of(root)
    if protection is not None:
        if inside.signed and protection.path in inside.opened:
            found["protection"] = {"kind": "signed", "how": "smime", "path": ""}
        else:
            found["protection"] = asdict(protection)
    if blank:
        found["blank"] = True
        if not (protection is not None and protection.kind == "encrypted"):
            notes.append(NO_TEXT if _has_content(root) else EMPTY)
    if report is not None:
        found["report"] = asdict(report)
    return found | ({"notes": notes} if notes else {})


def _problems(root: Part) -> list[str]:
    return list(dict.fromkeys(part.problem for part in walk(root) if part.problem))


def _has_content(root: Part) -> bool:
    """Whether there is anything beside the text that is not there."""
    leaves: Sequence[Part] = [part for part in walk(root) if not part.is_multipart]
    return any(part.filename or (part.size and part.media_type not in _TEXTS) for part in leaves)
