"""The event stream of an open page: one Redis subscription per web process, fanned out in memory."""

import asyncio
import json
import logging
from collections import defaultdict
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
_LIFETIME_SECONDS = 3600  # a stream ends hourly, so that a session that has ended is noticed when the page returns


class Hub:
    """Keeps one pattern subscription and hands each event to the queues of its person's pages."""

    def __init__(self) -> None:
        self._queues: dict[str, set[asyncio.Queue[str]]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None

    def join(self, user_id: int) -> "asyncio.Queue[str]":
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=100)
        self._queues[f"live:{user_id}"].add(queue)
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        return queue

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

    async def _forward(self) -> None:
        client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, health_check_interval=25)
        async with client, client.pubsub() as events:
            await events.psubscribe("live:*")
            self._tell_all('{"kind": "again"}')
            noted = 0.0
            while self._queues:
                if asyncio.get_running_loop().time() >= noted + _NOTED_SECONDS:
                    noted = asyncio.get_running_loop().time()
                    await self._note_open(client)
                event = await events.get_message(ignore_subscribe_messages=True, timeout=5)
                if event:
                    self._tell(event["channel"].decode(errors="replace"), event["data"].decode(errors="replace"))

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
    response = StreamingHttpResponse(_stream(user.pk), content_type="text/event-stream")
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


async def _stream(user_id: int) -> AsyncIterator[str]:
    queue = hub.join(user_id)
    ends = asyncio.get_running_loop().time() + _LIFETIME_SECONDS
    try:
        yield "retry: 2000\n\n"
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
