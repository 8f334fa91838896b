"""Named places where a test makes a worker fail, to prove that what follows repairs it. Nothing happens elsewhere."""

from collections.abc import Callable

_armed: dict[str, Callable[[], None]] = {}


def arm(name: str, action: Callable[[], None]) -> None:
    """Runs ``action`` whenever the place is reached, until ``disarm``."""
    _armed[name] = action


def disarm() -> None:
    _armed.clear()


def reach(name: str) -> None:
    """The code is at this place."""
    if _armed and name in _armed:
        _armed[name]()
