"""Turns of people who wait for pictures."""

import threading

import pytest

from webmail.services import image_turns
from webmail.services.image_turns import AT_ONCE, _Turns


def test_so_many_at_once_and_the_next_when_one_is_done() -> None:
    turns = _Turns()
    entered = [turns.turn(1, 0) for _ in range(AT_ONCE)]
    assert all(one.__enter__() for one in entered)
    with turns.turn(1, 0) as mine:
        assert not mine
    with turns.turn(2, 0) as mine:
        assert mine  # another person's
    waited: list[bool] = []

    def wait() -> None:
        with turns.turn(1, 10) as mine:
            waited.append(mine)

    thread = threading.Thread(target=wait)
    thread.start()
    entered.pop().__exit__(None, None, None)
    thread.join()
    assert waited == [True]
    for one in entered:
        one.__exit__(None, None, None)
    assert (turns._waiting, turns._semaphores) == ({}, {})


def test_a_crowd_is_not_let_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_turns, "MOST_WAITING", 1)
    turns = _Turns()
    with turns.turn(1, 0) as first, turns.turn(1, 60) as second:
        assert (first, second) == (True, False)
    with turns.turn(1, 0) as again:
        assert again
