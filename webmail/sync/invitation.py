"""What a message's calendar part invites to, as its body row keeps it. Pure.

``MessageBody.special["invitation"]`` holds the fields of ``mime.invitations.Invitation``, or ``{"too_large": true}``.
"""

from dataclasses import asdict
from typing import Any

from webmail.mime.invitations import LARGEST, read_invitation
from webmail.mime.structure import BodyChoice
from webmail.mime.transfer import decode_transfer
from webmail.sync.opening import Read

_MOST_ENCODED = LARGEST * 4 // 3 + 4096


def read(choice: BodyChoice, fetch: Read) -> dict[str, Any]:
    """{} where there is none. Raises what ``fetch`` raises."""
    for part in choice.calendar[:1]:
        if part.size > _MOST_ENCODED:
            return {"invitation": {"too_large": True}}
        octets = decode_transfer(fetch(part, _MOST_ENCODED), part.encoding)
        if len(octets) > LARGEST:
            return {"invitation": {"too_large": True}}  # its end would be missing, where the time may stand
        found = read_invitation(octets, charset=part.charset or "utf-8", method=part.params.get("method", ""))
        return {"invitation": asdict(found)} if found is not None else {}
    return {}
