"""Pictures handed to limited child processes, which are kept warm: starting one costs more than most pictures.

Invariants: a child that was too slow, died or said something odd is ended and never used again; at most `count`
pictures are decoded at once, the others wait their turn; a child knows nothing: no environment, no open files. After
`RECYCLED_AFTER` pictures a child makes way for a new one, so that what a decoder lost does not add up.
"""

import os
import selectors
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, LifoQueue
from typing import NamedTuple

from webmail.imaging.kinds import KINDS

PATIENCE = 15.0  # seconds for one picture, waiting for a free child included
RECYCLED_AFTER = 300
LARGEST_OUTPUT = 64 * 2**20
_ROOT = Path(__file__).resolve().parent.parent.parent


class Picture(NamedTuple):
    """A picture as we wrote it."""

    media_type: str
    data: bytes


class Gone(Exception):
    """The child did not answer, or not with an answer."""


class Child:
    """One process that decodes."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-E", "-s", "-m", "webmail.imaging.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
            env={},
            bufsize=0,
            start_new_session=True,
        )
        self.done = 0

    def ask(self, data: bytes, *, ends: float) -> Picture | None:
        """The picture written anew, None when it is none. Raises Gone."""
        self.done += 1
        self._send(struct.pack(">I", len(data)) + data, ends)
        place, size = struct.unpack(">BI", self._receive(5, ends))
        if place >= len(KINDS) or size > LARGEST_OUTPUT:
            raise Gone
        body = self._receive(size, ends)
        return Picture(KINDS[place], body) if place else None

    def end(self) -> None:
        """Kill the process and wait for it."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._process.wait()

    def _send(self, data: bytes, ends: float) -> None:
        assert self._process.stdin is not None
        handle, rest = self._process.stdin.fileno(), memoryview(data)
        os.set_blocking(handle, False)
        while rest:
            _wait(handle, selectors.EVENT_WRITE, ends)
            try:
                rest = rest[os.write(handle, rest) :]
            except BlockingIOError:
                continue
            except OSError:
                raise Gone from None

    def _receive(self, size: int, ends: float) -> bytes:
        assert self._process.stdout is not None
        handle, parts = self._process.stdout.fileno(), []
        while size:
            _wait(handle, selectors.EVENT_READ, ends)
            part = os.read(handle, min(size, 1 << 20))
            if not part:
                raise Gone
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


class Pool:
    """Up to `count` children, each started when it is first needed."""

    def __init__(self, count: int) -> None:
        self._places: LifoQueue[Child | None] = LifoQueue()
        for _ in range(count):
            self._places.put(None)

    def reencode(self, data: bytes, *, patience: float = PATIENCE) -> Picture | None:
        """The picture as it may be shown; None when it is none, too large, or took too long. Safe from any thread."""
        ends = time.monotonic() + patience
        try:
            child = self._places.get(timeout=patience)
        except Empty:
            return None
        try:
            child = child or Child()
            found = child.ask(data, ends=ends)
        except (Gone, OSError):
            child = self._ended(child)
            return None
        except BaseException:
            child = self._ended(child)
            raise
        else:
            if child.done >= RECYCLED_AFTER:
                child = self._ended(child)
            return found
        finally:
            self._places.put(child)

    def close(self) -> None:
        """End all children that have nothing to do."""
        for _ in range(self._places.qsize()):
            self._places.put(self._ended(self._places.get_nowait()))

    @staticmethod
    def _ended(child: Child | None) -> None:
        if child is not None:
            child.end()


def _wait(handle: int, event: int, ends: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(handle, event)
        if not selector.select(max(0.0, ends - time.monotonic())):
            raise Gone
