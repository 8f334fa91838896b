"""The process in which pictures of strangers are decoded: `python -m webmail.imaging.child`, pictures in, pictures out.

It is started without environment, files or working directory of its parent's, and takes from itself what it does not
need: memory beyond MEMORY, writing and opening files, and more than CPU_SECONDS for one picture. A picture that goes
over a limit ends the process; the parent starts another. Every message is a length (4 octets, big-endian) and that many
octets; an answer begins with one octet more, the kind's place in KINDS, or 0 for "none".
"""

import os
import resource
import struct
import sys
from typing import BinaryIO

from webmail.imaging.kinds import KINDS
from webmail.imaging.reencode import NotAPicture, reencode, warm_up

MEMORY = 900 * 2**20  # octets of address space: 25 million pixels, thrice, and the interpreter
CPU_SECONDS = 8


def main() -> None:
    warm_up()
    os.chdir("/")
    _limit(resource.RLIMIT_AS, MEMORY)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, 3)
    source, out = sys.stdin.buffer, sys.stdout.buffer
    while (data := _read(source)) is not None:
        _allow_seconds()
        kind, picture = _tried(data)
        del data
        out.write(struct.pack(">BI", KINDS.index(kind), len(picture)))
        out.write(picture)
        out.flush()


def _tried(data: bytes) -> tuple[str, bytes]:
    try:
        return reencode(data)
    except (NotAPicture, MemoryError):
        return "", b""


def _read(source: BinaryIO) -> bytes | None:
    """The next message; None when the parent has gone."""
    head = source.read(4)
    if len(head) < 4:
        return None
    return source.read(struct.unpack(">I", head)[0])


def _limit(what: int, most: int) -> None:
    resource.setrlimit(what, (most, most))


def _allow_seconds() -> None:
    """The processor's time for the next picture; the kernel ends the process that takes more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + 1 + CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
