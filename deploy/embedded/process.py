"""Child processes that never outlive the one who started them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Account:
    """A system account that a child runs as."""

    name: str
    uid: int
    gid: int


def unprivileged() -> Account | None:
    """The account for servers that refuse uid 0; None when this process is not root and needs none."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def give(path: Path, account: Account | None) -> Path:
    """Hand a folder or file to the account, if there is one to hand it to."""
    if account is not None:
        os.chown(path, account.uid, account.gid)
    return path


def _die_with_parent(parent: int, death_signal: signal.Signals) -> Callable[[], None]:
    def prepare() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:  # the parent ended before the line above took effect
            os._exit(1)

    return prepare


def spawn(
    argv: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    account: Account | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    keep_open: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    """Start a child with its output appended to `log`; the kernel sends it `death_signal` when we are gone.

    The child has a session of its own, so Ctrl-C in a terminal reaches only the one who starts and stops it.
    Descriptors in `keep_open` are inherited. Linux ties the child to the thread that starts it: call this from a
    thread that lives as long as the child may.
    """
    with log.open("ab") as sink:
        return subprocess.Popen(
            [os.fspath(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else [],
            start_new_session=True,
            pass_fds=keep_open,
            preexec_fn=_die_with_parent(os.getpid(), death_signal),  # noqa: PLW1509 - only async-signal-safe calls inside
        )


def stop(child: subprocess.Popen[bytes], *, how: signal.Signals = signal.SIGTERM, patience: float = 10.0) -> bool:
    """End a child and wait for it; True when it went by itself within `patience` seconds, False when killed."""
    if child.poll() is None:
        child.send_signal(how)
    return wait_or_kill(child, patience=patience)


def wait_or_kill(child: subprocess.Popen[bytes], *, patience: float) -> bool:
    """Wait for a child that was asked to end; after `patience` seconds kill it and all it started (then False)."""
    try:
        child.wait(patience)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        return False
    return True


def last_lines(log: Path, count: int = 12, *, since: int = 0) -> Iterator[str]:
    """The end of a log file behind byte `since`, for the report on a child that died."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(since, size - 16_384))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return
    yield from text.splitlines()[-count:]
