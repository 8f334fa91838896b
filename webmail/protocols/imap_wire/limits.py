"""How much of a server's talk we take before we hang up or look away."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes. Past `kept` a literal is read and thrown away; past `line` or `literal` the session ends."""

    line: int = 8 * MIB
    kept: int = MIB
    literal: int = 64 * MIB
    literals_per_response: int = 2_000
    responses: int = 1_000_000
    depth: int = 400


HEADERS = Limits()
BODIES = Limits(kept=64 * MIB)
