"""The decoding processes themselves: real ones, with their real limits."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from webmail.imaging import pool as pools
from webmail.imaging.pool import Child, Gone, Picture, Pool

from .drawn import bomb, opened, picture


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(1)
    yield made
    made.close()


def process(pool: Pool) -> "subprocess.Popen[bytes]":
    child = pool._places.queue[-1]
    assert child is not None
    return child._process


def test_a_child_stays_for_the_next_picture(pool: Pool) -> None:
    found = pool.reencode(picture("JPEG"))
    assert found is not None
    assert opened(found.data).size == (40, 30)
    first = process(pool).pid
    assert pool.reencode(b"no picture") is None
    assert pool.reencode(bomb(15_000)) is None
    assert isinstance(pool.reencode(picture("PNG")), Picture)
    assert process(pool).pid == first


def test_a_child_that_dies_costs_one_picture(pool: Pool) -> None:
    pool.reencode(picture())
    os.kill(process(pool).pid, signal.SIGKILL)
    process(pool).wait()
    assert pool.reencode(picture()) is None
    assert isinstance(pool.reencode(picture()), Picture)


def test_a_child_that_does_not_answer_is_ended(pool: Pool) -> None:
    pool.reencode(picture())
    stopped = process(pool)
    os.kill(stopped.pid, signal.SIGSTOP)
    assert pool.reencode(picture(), patience=0.2) is None
    assert stopped.poll() == -signal.SIGKILL
    assert isinstance(pool.reencode(picture()), Picture)


def test_a_child_makes_way_after_many_pictures(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "RECYCLED_AFTER", 2)
    pool.reencode(picture())
    first = process(pool)
    assert isinstance(pool.reencode(picture()), Picture)
    assert first.poll() is not None


def test_many_threads_share_few_children(pool: Pool) -> None:
    found: list[Picture | None] = []
    threads = [
        threading.Thread(target=lambda: found.append(pool.reencode(picture("JPEG", size=(300, 200))))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one is not None for one in found) == 8
    assert pool._places.qsize() == 1


def test_the_child_knows_nothing_and_may_do_little() -> None:
    """Its environment, its folder and its limits, as the kernel tells them."""
    child = Child()
    try:
        child.ask(picture(), ends=time.monotonic() + 10)
        where = f"/proc/{child._process.pid}"
        if sys.platform == "linux":
            with open(f"{where}/environ", "rb") as file:
                assert file.read().strip(b"\0") == b""
            assert os.readlink(f"{where}/cwd") == "/"
            with open(f"{where}/limits") as file:
                limits = {line[:26].strip(): line[26:].split()[:2] for line in file}
            assert limits["Max address space"] == [str(900 * 2**20)] * 2
            assert limits["Max file size"] == ["0", "0"]
            assert limits["Max open files"] == ["3", "3"]
            assert int(limits["Max cpu time"][0]) < 60
    finally:
        child.end()


def test_a_child_that_talks_nonsense_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    child = Child()
    try:
        monkeypatch.setattr(child, "_receive", lambda size, ends: b"\xff" * size)
        with pytest.raises(Gone):
            child.ask(picture(), ends=time.monotonic() + 10)
    finally:
        child.end()
