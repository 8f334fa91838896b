"""Contact cards attached to a message, as its body row keeps them: ``special["cards"]``, each a Card's fields. Pure."""

from dataclasses import asdict
from typing import Any

from webmail.mime.contact_cards import LARGEST, MEDIA_TYPES, MOST_CARDS, read_cards
from webmail.mime.structure import BodyChoice
from webmail.mime.transfer import decode_transfer
from webmail.sync.opening import Read

_MOST_ENCODED = LARGEST * 4 // 3 + 4096
_MOST_FILES = 3


def read(choice: BodyChoice, fetch: Read) -> dict[str, Any]:
    """{} where there is none; files larger than is read stay files. Raises what ``fetch`` raises."""
    parts = [part for part in choice.attachments if part.media_type in MEDIA_TYPES and part.size <= _MOST_ENCODED]
    cards: list[dict[str, Any]] = []
    for part in parts[:_MOST_FILES]:
        octets = decode_transfer(fetch(part, _MOST_ENCODED), part.encoding)
        cards += [asdict(card) for card in read_cards(octets, part.charset or "utf-8")]
    return {"cards": cards[:MOST_CARDS]} if cards else {}
