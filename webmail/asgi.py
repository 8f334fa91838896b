"""The web process: an ASGI application, so that one worker can hold many open event streams."""

import os
import warnings

import django
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

# WhiteNoise hands small static files over as plain iterators; what is large goes through views.streaming
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")


class OneThreadHandler(ASGIHandler):
    """Runs a request's middleware and view in one thread, entered once.

    Django's own handler changes threads for every hook of every middleware that is not written for asyncio, which
    costs more than the work of a small page. Event streams are not affected: their iterator runs on the event loop.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)


os.environ["MAILROOM_ROLE"] = "web"  # every other process is a worker: webmail.settings.sessions
django.setup(set_prefix=False)
application = OneThreadHandler()
