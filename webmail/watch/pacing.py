"""How fast to log in again after a restart, and how long to wait after a failure. Pure.

Invariants: at most twenty logins a second in all and one a second per host; a server that keeps hanging up is met with
growing patience; a refused password is never tried again by the watcher.
"""

import heapq
from dataclasses import dataclass, field

LOGINS_PER_SECOND = 20
HOST_SECONDS = 1.0
FIRST_WAIT, LONGEST_WAIT = 5.0, 900.0


@dataclass(slots=True)
class Pacing:
    """Gives out accounts to log in, no faster than the limits. Times are seconds of one monotonic clock."""

    _waiting: list[tuple[float, int, str]] = field(default_factory=list)
    _host_free_at: dict[str, float] = field(default_factory=dict)
    _free_at: float = 0.0

    def add(self, account_id: int, host: str, *, at: float) -> None:
        """The account wants to log in, not before ``at``."""
        heapq.heappush(self._waiting, (at, account_id, host))

    def ready(self, now: float) -> list[int]:
        """Accounts whose turn has come."""
        found: list[int] = []
        back: list[tuple[float, int, str]] = []
        while self._waiting and self._waiting[0][0] <= now and self._free_at <= now:
            _, account_id, host = heapq.heappop(self._waiting)
            free_at = self._host_free_at.get(host, 0.0)
            if free_at > now:
                back.append((free_at, account_id, host))
                continue
            self._host_free_at[host] = now + HOST_SECONDS
            self._free_at = max(self._free_at, now - 1.0) + 1 / LOGINS_PER_SECOND
            found.append(account_id)
        for entry in back:
            heapq.heappush(self._waiting, entry)
        self._host_free_at = {host: at for host, at in self._host_free_at.items() if at > now}
        return found


def wait_after(failures: int, *, throttled: float | None = None) -> float:
    """Seconds until the next login after so many failures in a row."""
    return max(throttled or 0.0, min(FIRST_WAIT * 2.0 ** min(failures, 10), LONGEST_WAIT))
