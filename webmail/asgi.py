"""The web process: an ASGI application, so that one worker can hold many open event streams."""

import os
import warnings

import django

from webmail.handler import OneThreadHandler

# WhiteNoise hands small static files over as plain iterators; what is large goes through views.streaming
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

os.environ["MAILROOM_ROLE"] = "web"  # every other process is a worker: webmail.settings.sessions
django.setup(set_prefix=False)
application = OneThreadHandler()
