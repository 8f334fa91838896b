"""Bring the database up to date and put the demo's people into it, in one process to load Django once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import django
from django.core.management import call_command


def main(sign_ins: Path) -> None:
    """Migrate, then run the `demo` command, keeping what it prints (a line `role address password` for each person)."""
    django.setup()
    call_command("migrate", interactive=False, verbosity=1)
    half = sign_ins.with_suffix(".part")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        call_command("demo", stdout=file)
    half.replace(sign_ins)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
