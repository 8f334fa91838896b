"""The web process: an ASGI application, so that one worker can hold many open event streams."""

import gc
import os
import warnings

import django
from django.urls import get_resolver

from webmail.handler import OneThreadHandler

# WhiteNoise hands small static files over as plain iterators; what is large goes through views.streaming
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

os.environ["MAILROOM_ROLE"] = "web"  # every other process is a worker: webmail.settings.sessions
django.setup(set_prefix=False)
application = OneThreadHandler()

# What was loaded stays as long as the process, so the collector need not look through it again and again; nor after
# every seven hundred new objects, which took a seventh of a list page's time.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 50)
