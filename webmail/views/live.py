"""The event stream of an open page: one Redis subscription per web process, fanned out in memory.

Invariant: no event since the page was asked for is lost to it. What came between that and its stream is told again;
where that is not known, the page is told to look again.
"""

import asyncio
import json
import logging
import re
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator

import redis.asyncio as redis
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from webmail.live import DAY, OPEN_SECONDS

log = logging.getLogger(__name__)
_PING_SECONDS = 15
_NOTED_SECONDS = 30
_RECENT_SECONDS, _MOST_RECENT, _MOST_MISSED = 30.0, 2_000, 20
_MARGIN_SECONDS = 0.2  # another machine of ours may have answered for the page
_AGAIN = '{"kind": "again"}'
_LIFETIME_SECONDS = 3600  # a stream ends hourly, so that a session that has ended is noticed when the page returns


class Recent:
    """What everybody was told in the last seconds, for pages that were on their way meanwhile."""

    def __init__(self) -> None:
        self._told: deque[tuple[float, str, str]] = deque()
        self._complete_since = float("inf")  # loop time

    def begin(self, now: float) -> None:
        """From now on all events are known."""
        self._told.clear()
        self._complete_since = now

    def end(self) -> None:
        """Nothing is known until the next beginning, at which all are told to look again."""
        self._told.clear()
        self._complete_since = float("inf")

    def note(self, now: float, channel: str, data: str) -> None:
        self._told.append((now, channel, data))
        while len(self._told) > _MOST_RECENT or self._told[0][0] < now - _RECENT_SECONDS:
            self._complete_since = max(self._complete_since, self._told.popleft()[0])

    def since(self, then: float, channel: str) -> list[str] | None:
        """Events of the channel after that moment; None when some may be missing."""
        if self._complete_since < float("inf") and then <= self._complete_since:
            return None
        return [data for at, name, data in self._told if at >= then and name == channel]


class Hub:
    """Keeps one pattern subscription and hands each event to the queues of its person's pages."""

    def __init__(self) -> None:
        self._queues: dict[str, set[asyncio.Queue[str]]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        self._recent = Recent()

    def join(self, user_id: int, *, age: float = 0.0) -> "asyncio.Queue[str]":
        """A queue of the person's events, of the last ``age`` seconds and from now on."""
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=100)
        channel = f"live:{user_id}"
        for data in self._missed(channel, age):
            queue.put_nowait(data)
        self._queues[channel].add(queue)
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        return queue

    def _missed(self, channel: str, age: float) -> list[str]:
        missed = self._recent.since(asyncio.get_running_loop().time() - age, channel)
        return [_AGAIN] if missed is None or len(missed) > _MOST_MISSED else missed

    def leave(self, user_id: int, queue: "asyncio.Queue[str]") -> None:
        name = f"live:{user_id}"
        self._queues[name].discard(queue)
        if not self._queues[name]:
            del self._queues[name]

    async def _listen(self) -> None:
        while self._queues:
            try:
                await self._forward()
            except (redis.RedisError, OSError) as error:
                log.warning("live events wait for Redis: %s", type(error).__name__)
                await asyncio.sleep(2)
            finally:
                self._recent.end()

    async def _forward(self) -> None:
        client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, health_check_interval=25)
        async with client, client.pubsub() as events:
            await events.psubscribe("live:*")
            if await events.get_message(timeout=5) is None:  # that we are subscribed
                raise redis.ConnectionError("no answer to the subscription")
            self._recent.begin(asyncio.get_running_loop().time())
            self._tell_all(_AGAIN)
            noted = 0.0
            while self._queues:
                if asyncio.get_running_loop().time() >= noted + _NOTED_SECONDS:
                    noted = asyncio.get_running_loop().time()
                    await self._note_open(client)
                event = await events.get_message(ignore_subscribe_messages=True, timeout=5)
                if event:
                    channel, data = (event[part].decode(errors="replace") for part in ("channel", "data"))
                    self._recent.note(asyncio.get_running_loop().time(), channel, data)
                    self._tell(channel, data)

    async def _note_open(self, client: "redis.Redis") -> None:
        """Says whose pages are open: their accounts are polled more often."""
        async with client.pipeline(transaction=False) as pipe:
            for user_id in [name.partition(":")[2] for name in self._queues]:
                pipe.set(f"open:{user_id}", 1, ex=OPEN_SECONDS)
                pipe.set(f"today:{user_id}", 1, ex=DAY)
            await pipe.execute()

    def _tell(self, channel: str, data: str) -> None:
        for queue in tuple(self._queues.get(channel, ())):
            if not queue.full():
                queue.put_nowait(data)

    def _tell_all(self, data: str) -> None:
        for channel in tuple(self._queues):
            self._tell(channel, data)


hub = Hub()


async def live(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    user = await request.auser()
    if not user.is_authenticated:
        return HttpResponse(status=401)
    await sync_to_async(_give_back_connections)()
    events = _stream(user.pk, _age(request))
    response = StreamingHttpResponse(events, content_type="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Encoding"] = "identity"  # compression would hold events back
    return response


def _kind(data: str) -> str:
    """The event's kind; "" for what is none of ours, which must not end the stream."""
    try:
        kind = str(json.loads(data)["kind"])
    except (ValueError, KeyError, TypeError):
        return ""
    return kind if kind.isalpha() and "\n" not in data else ""


def _give_back_connections() -> None:
    """An open stream must not sit on a connection of the pool for as long as the page is open."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def _age(request: HttpRequest) -> float:
    """Seconds since the page was asked for, and a little more; 0 for one that has had a stream since.

    It heard what that told, and looks again by itself.
    """
    told = request.GET.get("since", "")
    if "Last-Event-ID" in request.headers or not re.fullmatch("[0-9]{1,15}", told):
        return 0.0
    return max(0.0, time.time() - int(told) / 1000) + _MARGIN_SECONDS


async def _stream(user_id: int, age: float) -> AsyncIterator[str]:
    queue = hub.join(user_id, age=age)
    ends = asyncio.get_running_loop().time() + _LIFETIME_SECONDS
    try:
        yield "retry: 2000\nid: 0\n\n"  # an id, whatever it is, comes back when the browser connects again
        while asyncio.get_running_loop().time() < ends:
            try:
                data = await asyncio.wait_for(queue.get(), _PING_SECONDS)
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if kind := _kind(data):
                yield f"event: {kind}\ndata: {data}\n\n"
    finally:
        hub.leave(user_id, queue)
