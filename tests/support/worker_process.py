"""The process behind `tests.support.workers`: an order a line on stdin, `[pid, exit code or null]` a line on stdout."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

import django

WARM = (
    "webmail.sync.account",
    "webmail.delivery.submit",
    "webmail.delivery.file_sent",
    "webmail.delivery.draft_copy",
)


def main() -> None:
    """Load the application, then fork for each order."""
    django.setup()
    for name in WARM:  # once, instead of in every child
        import_module(name)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            os._exit(_work(json.loads(line)))
        while True:
            _, status = os.waitpid(pid, os.WUNTRACED)
            stopped = os.WIFSTOPPED(status)
            print(json.dumps([pid, None if stopped else os.waitstatus_to_exitcode(status)]), flush=True)
            if not stopped:
                break


def _work(order: dict[str, Any]) -> int:
    from django.db import connection

    from tests.support.workers import STATEMENT
    from webmail.sync import failpoints

    left = order["nth"]

    def reached() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.Signals[order["signal"]])

    if order["at"] == STATEMENT:
        connection.execute_wrappers.append(_before(reached))
    elif order["at"]:
        failpoints.arm(order["at"], reached)
    module, _, function = order["job"].partition(":")
    try:
        getattr(import_module(module), function)(*order["args"], **order["options"])
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _before(reached: Callable[[], None]) -> Callable[..., Any]:
    """For Django's `execute_wrappers`: what happens before each statement to the database."""

    def wrapper(execute: Callable[..., Any], *words: Any) -> Any:
        reached()
        return execute(*words)

    return wrapper


if __name__ == "__main__":
    main()
