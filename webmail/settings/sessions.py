"""How long a database session may hold things up, by what its process does.

A worker that froze in a transaction would keep its row locks for as long as its connection stands, and with them
everybody who wants these rows. No transaction here waits for a person or a socket, so one that is idle for so long
belongs to a process that is not coming back; Postgres ends it, and whoever wakes up finds the connection closed.
"""

IDLE_SECONDS = {"web": 15, "worker": 40}
STATEMENT_SECONDS = {"web": 60, "worker": 0}  # a page outlasts a frozen worker's locks; 0: no limit


def limits(role: str, *, idle: float | None = None) -> str:
    """The session's settings as libpq's ``options``, for a ``role`` (web, worker); ``idle`` replaces its seconds."""
    allowed = IDLE_SECONDS[role] if idle is None else idle
    return (
        f"-c idle_in_transaction_session_timeout={round(allowed * 1000)}"
        f" -c statement_timeout={STATEMENT_SECONDS[role] * 1000}"
    )
