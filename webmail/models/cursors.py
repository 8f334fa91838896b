"""The cursors of a mailbox that is read from the beginning: columns for ``update()``."""

from typing import Any

FRESH_CURSORS: dict[str, Any] = {
    "uidnext": None,
    "highestmodseq": None,
    "verified_high": 0,
    "backfill_low": None,
    "exists_count": 0,
    "server_unseen": None,
    "full_flags_at": None,
    "full_enum_at": None,
    "resync_asked_at": None,
    "resync_low": None,
    "resync_done": 0,
    "resynced_at": None,
}
