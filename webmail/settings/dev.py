"""Settings for working on Mailroom: like ``prod`` over loopback, with tracebacks and templates read anew."""

import os

os.environ.setdefault("MAILROOM_INSECURE_HTTP", "1")

from .prod import *  # noqa: F403 - the line above must come first

DEBUG = True
