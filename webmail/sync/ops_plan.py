"""What to send for a row of queued operations. Pure.

Invariants: the order of intents about one message is kept; marks that undo each other are never sent; a batch holds
operations that one command (or one for each kind of mark) can carry.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

FLAGS, KEYWORDS, LABELS, MOVE, COPY, EXPUNGE = "flags", "keywords", "labels", "move", "copy", "expunge"
APPEND = "append"
MARKS = frozenset({FLAGS, KEYWORDS})
CREATE, RENAME, REMOVE, SUBSCRIBE = "create", "rename", "remove", "subscribe"
FOLDERS = frozenset({CREATE, RENAME, REMOVE, SUBSCRIBE})


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
    sources: tuple[int, ...] = ()
    add: tuple[str, ...] = ()  # keywords
    remove: tuple[str, ...] = ()

    @property
    def about(self) -> frozenset[int]:
        """The placements whose operations must keep their order: those of a copy are also the ones copied from."""
        return frozenset(self.placements) | frozenset(self.sources)


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

    def keywords(self) -> dict[tuple[tuple[str, ...], tuple[str, ...]], list[int]]:
        """The net effect of all changes of keywords in order: added and removed ones, to placements."""
        net: dict[int, tuple[dict[str, str], dict[str, str]]] = {}
        for op in self.ops:
            coming, going = ({word.lower(): word for word in words} for words in (op.add, op.remove))
            for placement in op.placements:
                add, remove = net.get(placement, ({}, {}))
                net[placement] = (
                    {key: word for key, word in add.items() if key not in going} | coming,
                    {key: word for key, word in remove.items() if key not in coming} | going,
                )
        groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[int]] = {}
        for placement, (add, remove) in net.items():
            groups.setdefault((tuple(sorted(add.values())), tuple(sorted(remove.values()))), []).append(placement)
        return groups


def batches(ops: Sequence[Op]) -> list[Batch]:
    """The operations in order, neighbours of one kind and place joined. Uncertain ones stay by themselves."""
    found: list[Batch] = []
    for op in ops:
        last = found[-1] if found else None
        if (
            last is not None
            and op.kind in (*MARKS, MOVE, EXPUNGE)
            and (last.kind, last.mailbox, last.gen, last.destination) == (op.kind, op.mailbox, op.gen, op.destination)
            and last.uncertain == op.inflight
            and (op.kind in MARKS or not set(op.placements) & last.items.keys())
        ):
            last.ops.append(op)
        else:
            found.append(Batch(op.kind, op.mailbox, op.gen, op.destination, [op]))
    return found


@dataclass(slots=True)
class Held:
    """What operations that cannot run now keep later ones from: the same messages, and folders that are not ready.

    Nothing is done in a folder before it is made, or after its deletion was asked for; and a folder is not deleted
    while something before still has to be done there, such as taking mail out of it.
    """

    messages: set[int] = field(default_factory=set)
    unready: set[int] = field(default_factory=set)
    busy: set[int] = field(default_factory=set)

    def keeps(self, op: Op) -> bool:
        boxes = {op.mailbox, op.destination} - {None}
        return bool(self.messages & op.about or boxes & self.unready or (op.kind == REMOVE and boxes & self.busy))

    def add(self, op: Op) -> None:
        boxes = {box for box in (op.mailbox, op.destination) if box is not None}
        self.messages |= op.about
        self.busy |= boxes
        if op.kind in (CREATE, REMOVE):
            self.unready |= boxes


def free_to_run(ops: Iterable[Op], waiting: Collection[int]) -> list[Op]:
    """Of all open operations, in order, those that may run now; ``waiting`` are ids whose time has not come.

    What waits holds up later operations about its messages, and what is held up holds up in turn.
    """
    held = Held()
    free: list[Op] = []
    for op in ops:
        if op.id in waiting or held.keeps(op):
            held.add(op)
        else:
            free.append(op)
    return free
