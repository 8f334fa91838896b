"""The stream of a page that opens beside others: it hears what came while the page was on its way."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial

import pytest
from asgiref.sync import sync_to_async
from django.http import HttpRequest
from django.test import RequestFactory

from webmail import live
from webmail.views import live as streams
from webmail.views.live import Hub, Recent

AGAIN = {"kind": "again"}


async def heard(queue: asyncio.Queue[str], *, within: float = 10.0) -> dict[str, object]:
    told: dict[str, object] = json.loads(await asyncio.wait_for(queue.get(), within))
    return told


def beside_another(work: Callable[[Hub], Awaitable[None]]) -> None:
    """Runs it with a hub that listens, since a page of somebody else is open."""

    async def run() -> None:
        hub = Hub()
        other = hub.join(1)
        assert await heard(other) == AGAIN
        try:
            await work(hub)
        finally:
            hub.leave(1, other)
            if hub._listener is not None:
                hub._listener.cancel()

    asyncio.run(run())


async def publish(user_id: int, outgoing: int, *, seen_by: asyncio.Queue[str]) -> None:
    """Returns when the hub has it: it comes in order, so the other page's event is last."""
    await sync_to_async(partial(live.publish, user_id, "outbox", outgoing=outgoing))()
    await sync_to_async(partial(live.publish, 2, "mailbox", mailbox=outgoing))()
    assert (await heard(seen_by))["mailbox"] == outgoing


def test_a_page_hears_what_came_while_it_was_on_its_way(redis_url: str) -> None:
    async def work(hub: Hub) -> None:
        witness = hub.join(2)
        await publish(7, 31, seen_by=witness)
        queue = hub.join(7, age=0.0)
        await publish(7, 32, seen_by=witness)
        assert await heard(queue) == {"kind": "outbox", "outgoing": 32}  # it was asked for after the first
        await asyncio.sleep(0.05)
        late = hub.join(7, age=0.04)
        assert late.empty()

    beside_another(work)


def test_events_of_the_last_seconds_are_told_to_whom_they_concern(redis_url: str) -> None:
    async def work(hub: Hub) -> None:
        witness = hub.join(2)
        await asyncio.sleep(0.3)
        began = asyncio.get_running_loop().time()
        await publish(7, 31, seen_by=witness)
        await publish(7, 32, seen_by=witness)
        age = asyncio.get_running_loop().time() - began + 0.01
        mine, theirs = hub.join(7, age=age), hub.join(8, age=age)
        assert [(await heard(mine))["outgoing"], (await heard(mine))["outgoing"]] == [31, 32]
        assert theirs.empty()
        await publish(7, 33, seen_by=witness)
        assert (await heard(mine))["outgoing"] == 33  # once

    beside_another(work)


def test_what_is_not_known_any_more_is_looked_at_again(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(hub: Hub) -> None:
        older = hub.join(7, age=60.0)  # the hub has not listened for so long
        assert (await heard(older), older.empty()) == (AGAIN, True)
        monkeypatch.setattr(streams, "_MOST_MISSED", 1)
        witness = hub.join(2)
        await asyncio.sleep(0.3)
        began = asyncio.get_running_loop().time()
        await publish(7, 31, seen_by=witness)
        await publish(7, 32, seen_by=witness)
        many = hub.join(7, age=asyncio.get_running_loop().time() - began + 0.01)
        assert (await heard(many), many.empty()) == (AGAIN, True)

    beside_another(work)


def test_the_first_page_is_told_to_look_again_once(redis_url: str) -> None:
    async def run() -> None:
        hub = Hub()
        queue = hub.join(7, age=5.0)
        assert await heard(queue) == AGAIN
        await asyncio.sleep(0.2)
        assert queue.empty()
        hub.leave(7, queue)

    asyncio.run(run())


def test_it_keeps_little() -> None:
    recent = Recent()
    recent.begin(0.0)
    for number in range(5_000):
        recent.note(1.0 + number / 1000, "live:1", str(number))
    assert recent.since(1.5, "live:1") is None  # it let go of those
    assert len(recent.since(5.0, "live:1") or ()) == 1_000
    recent.note(100.0, "live:1", "last")
    assert recent.since(99.0, "live:1") == ["last"]
    assert recent.since(5.5, "live:1") is None
    recent.end()
    assert recent.since(99.0, "live:1") == []


def asked(since: int | str, **headers: str) -> HttpRequest:
    return RequestFactory().get("/live/", {"since": since}, headers=headers)


@pytest.mark.parametrize(("ago", "seconds"), [(0, 0.2), (1.5, 1.7), (-60, 0.2)])
def test_a_page_tells_when_it_was_asked_for(ago: float, seconds: float) -> None:
    assert streams._age(asked(int((time.time() - ago) * 1000))) == pytest.approx(seconds, abs=0.1)


@pytest.mark.parametrize("told", ["", "-1", "1e9", "٣", "9" * 16])
def test_what_is_no_time_is_none(told: str) -> None:
    assert streams._age(asked(told)) == 0.0


def test_a_page_that_had_a_stream_is_not_told_again_what_that_told(redis_url: str) -> None:
    async def first_words() -> str:
        stream = streams._stream(7, 0.0)
        async with aclosing(stream):  # type: ignore[type-var]  # a generator it is
            return await anext(stream)

    assert "\nid: 0\n\n" in asyncio.run(first_words())  # the browser gives it back when it connects again
    assert streams._age(asked(int((time.time() - 5) * 1000), **{"Last-Event-ID": "0"})) == 0.0
