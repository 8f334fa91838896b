"""Keeps a process of thousands of sockets small.

Each login leaves a hole of tens of kilobytes between what stays: with a heap for every thread, and none ever given
back, they added up to more than a quarter of the process. Only glibc is told; elsewhere nothing happens.
"""

import ctypes
from functools import cache

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libc.so.6")
    except OSError:
        return None
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None


def share_one_heap() -> None:
    """All threads allocate from one heap. To be called before there are any."""
    library = _glibc()
    if library is not None:
        library.mallopt(_ARENA_MAX, 1)


def give_back() -> None:
    """Returns to the system what is free."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)
