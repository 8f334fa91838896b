"""Which UIDs are there: ESEARCH when it has shown that it works, else SEARCH in windows that fit a line.

Invariants: an empty answer is believed only from a server whose ESEARCH has named UIDs in this session, or when FETCH
finds nothing either; an answer whose COUNT and set differ ends the use of ESEARCH. RFC 9051 section 6.4.4, RFC 4731.
"""

from __future__ import annotations

from webmail.protocols.errors import CommandFailed
from webmail.protocols.imap_fetch import fetch_flags
from webmail.protocols.imap_wire.replies import kind_of, parse_esearch, parse_search
from webmail.protocols.imap_wire.wire import Wire
from webmail.protocols.values import FlagRow, UidSet

WINDOW = 500_000  # numbers of up to ten digits and a space: 5.5 MB, within the line limit


class UidSearch:
    """Remembers, for one session, how far this server's ESEARCH can be trusted."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._usable = bool({"ESEARCH", "IMAP4REV2"} & wire.capabilities)
        self._proven = False

    def between(self, low: int, high: int, *, exists: int) -> UidSet:
        """UIDs of the selected mailbox from low to high. `exists` is its count of messages, as far as known."""
        if high < low:
            return UidSet()
        if self._usable:
            found = self._extended(low, high)
            if found:
                self._proven = True
            if found is not None and (found or self._proven or not exists):
                return found
        found = self._plain(low, high, exists=exists)
        if found and self._usable and not self._proven:
            self._usable = False  # it said "nothing" where there was something
        return found

    def _extended(self, low: int, high: int) -> UidSet | None:
        """None when ESEARCH does not work here."""
        words = (b"UID", b"SEARCH", b"RETURN", b"(ALL COUNT)", b"UID", UidSet.span(low, high).to_wire())
        try:
            answers = self._wire.collect(b"ESEARCH", *words, patience=self._wire.patience * 5, most=1000)
        except CommandFailed:
            self._usable = False
            return None
        parsed = [parse_esearch(answer) for answer in answers]
        if len(parsed) != 1 or parsed[0] is None or parsed[0][1] != len(parsed[0][2]):
            self._usable = False
            return None
        return parsed[0][2] & UidSet.span(low, high)

    def _plain(self, low: int, high: int, *, exists: int) -> UidSet:
        """By windows only where a line could grow too long: never more UIDs than messages."""
        found = UidSet()
        step = WINDOW if exists > WINDOW else high - low + 1
        for start in range(low, high + 1, step):
            found |= self._window(start, min(high, start + step - 1))
        return self._by_fetch(low, high) if exists and not found else found

    def _by_fetch(self, low: int, high: int) -> UidSet:
        """What some servers' SEARCH leaves out altogether, FETCH still shows; where nothing is, it costs nothing."""
        rows = fetch_flags(self._wire, UidSet.span(low, high), changed_since=None, modseq=False)
        return UidSet.collect(row.uid for row in rows if isinstance(row, FlagRow))

    def _window(self, low: int, high: int) -> UidSet:
        span = UidSet.span(low, high)
        found = UidSet()
        for response in self._wire.run(b"UID", b"SEARCH", b"UID", span.to_wire(), patience=self._wire.patience * 5):
            kind = kind_of(response)[0]
            if kind == b"SEARCH":
                numbers = parse_search(response)
            elif kind == b"ESEARCH":  # IMAP4rev2 servers answer so unasked
                extended = parse_esearch(response)
                numbers = extended[2] if extended else None
            else:
                self._wire.volunteer(response)
                continue
            if numbers is None:
                self._wire.violated("the server's search result is no list of numbers")
            found |= numbers
        return found & span
