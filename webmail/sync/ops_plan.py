"""What to send for a row of queued operations. Pure.

Invariants: the order of intents about one message is kept; marks that undo each other are never sent; a batch holds
operations that one command (or one for each kind of mark) can carry.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

FLAGS, MOVE, COPY, EXPUNGE = "flags", "move", "copy", "expunge"


@dataclass(frozen=True, slots=True)
class Op:
    """An open models.RemoteOp as a value. ``inflight``: an earlier worker began it and did not say how it ended."""

    id: int
    kind: str
    mailbox: int | None
    gen: int
    destination: int | None
    placements: tuple[int, ...]
    uids: tuple[int | None, ...]
    set_flags: int = 0
    clear_flags: int = 0
    inflight: bool = False


@dataclass(slots=True)
class Batch:
    """Operations replayed together."""

    kind: str
    mailbox: int | None
    gen: int
    destination: int | None
    ops: list[Op] = field(default_factory=list)

    @property
    def ids(self) -> list[int]:
        return [op.id for op in self.ops]

    @property
    def uncertain(self) -> bool:
        return any(op.inflight for op in self.ops)

    @property
    def items(self) -> dict[int, int | None]:
        """Placement to the UID it had when the person acted; the later operation's word counts."""
        return {placement: uid for op in self.ops for placement, uid in zip(op.placements, op.uids, strict=True)}

    def marks(self) -> dict[tuple[int, int], list[int]]:
        """The net effect of all marks in order."""
        net: dict[int, tuple[int, int]] = {}
        for op in self.ops:
            for placement in op.placements:
                to_set, to_clear = net.get(placement, (0, 0))
                net[placement] = (
                    (to_set & ~op.clear_flags) | op.set_flags,
                    (to_clear & ~op.set_flags) | op.clear_flags,
                )
        groups: dict[tuple[int, int], list[int]] = {}
        for placement, change in net.items():
            groups.setdefault(change, []).append(placement)
        return groups


def batches(ops: Sequence[Op]) -> list[Batch]:
    """The operations in order, neighbours of one kind and place joined. Uncertain ones stay by themselves."""
    found: list[Batch] = []
    for op in ops:
        last = found[-1] if found else None
        if (
            last is not None
            and op.kind in (FLAGS, MOVE, EXPUNGE)
            and (last.kind, last.mailbox, last.gen, last.destination) == (op.kind, op.mailbox, op.gen, op.destination)
            and last.uncertain == op.inflight
            and (op.kind == FLAGS or not set(op.placements) & last.items.keys())
        ):
            last.ops.append(op)
        else:
            found.append(Batch(op.kind, op.mailbox, op.gen, op.destination, [op]))
    return found


def free_to_run(ops: Iterable[Op], waiting: Collection[int]) -> list[Op]:
    """Of all open operations, in order, those that may run now; ``waiting`` are ids whose time has not come.

    What waits holds up later operations about its messages, and what is held up holds up in turn.
    """
    held: set[int] = set()
    free: list[Op] = []
    for op in ops:
        if op.id in waiting or held.intersection(op.placements):
            held.update(op.placements)
        else:
            free.append(op)
    return free
