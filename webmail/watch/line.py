"""One watched connection: octets in, signals out, and when to renew.

Invariants: a connection that says nothing until two minutes after its renewal is dead; it is read until it would block
(TLS may hold octets that the kernel no longer shows); IDLE is renewed every nine minutes, since routers forget.
"""

import random
import ssl
from dataclasses import dataclass, field

from webmail.protocols.imap_idle import IdleSocket, Signal

RENEW_SECONDS = 9 * 60.0
GRACE_SECONDS = 120.0
CHUNK = 16_384
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_FATAL = frozenset({Signal.REFUSED, Signal.BYE, Signal.TOO_LONG})


class Dead(Exception):
    """The connection is over."""


@dataclass(slots=True)
class Line:
    """A logged-in IDLE connection of one account. Times are seconds of one monotonic clock."""

    account_id: int
    idle: IdleSocket
    begun: float = 0.0
    renew_at: float = 0.0
    deadline: float = 0.0
    ending: bool = False
    unsent: bytearray = field(default_factory=bytearray)

    def begin(self, now: float) -> None:
        """Starts IDLE, for the first time or again. Raises Dead."""
        self.ending = False
        self.renew_at = now + RENEW_SECONDS * random.uniform(0.9, 1.1)  # noqa: S311  spreads load, guards nothing
        self.deadline = self.renew_at + GRACE_SECONDS
        self._send(self.idle.lines.start())

    def renew(self, now: float) -> None:
        """Ends IDLE; it starts again when the server has confirmed. Raises Dead."""
        self.ending = True
        self.deadline = now + GRACE_SECONDS
        self.renew_at = self.deadline
        self._send(self.idle.lines.end())

    def read(self, now: float) -> bool:
        """Reads what there is; True when the sync should look at the account. Raises Dead."""
        signals = self._signals()
        if _FATAL & set(signals):
            raise Dead
        if Signal.ENDED in signals:
            self.begin(now)
        # after each IDLING too: what happened between two IDLEs, or before the first, is nobody's news
        return Signal.WAKE in signals or Signal.IDLING in signals

    def _signals(self) -> list[Signal]:
        found: list[Signal] = []
        while True:
            try:
                data = self.idle.sock.recv(CHUNK)
            except _WOULD_BLOCK:
                return found
            except OSError:
                raise Dead from None
            if not data:
                raise Dead
            found += self.idle.lines.feed(data)

    def _send(self, data: bytes) -> None:
        self.unsent += data
        self.flush()

    def flush(self) -> None:
        """Sends what is left. Raises Dead."""
        try:
            while self.unsent:
                sent = self.idle.sock.send(self.unsent)
                del self.unsent[:sent]
        except _WOULD_BLOCK:
            return
        except OSError:
            raise Dead from None

    def close(self) -> None:
        """Hangs up. Never raises."""
        try:
            self.idle.sock.close()
        except OSError:
            return
