"""Which conversation each new message belongs to. Pure; RFC 5322 section 3.6.4, incremental union-find.

Invariants: messages are joined by identifiers only (the caller adds what the subject may decide); of two known
conversations the smaller joins the larger; a conversation does not grow beyond a limit, since a sender chooses the
identifiers; the outcome does not depend on the order of a batch but for which of equals wins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LARGEST = 1_000  # messages


@dataclass(slots=True)
class Grouping:
    """``nodes[i]`` is row i's conversation: a known thread's id, or a negative number naming a new one.

    ``merges`` maps known threads to the known thread they join; ``refs`` maps references seen for the first time.
    """

    nodes: list[int] = field(default_factory=list)
    merges: dict[int, int] = field(default_factory=dict)
    refs: dict[str, int] = field(default_factory=dict)


def group(rows: Sequence[Sequence[str]], known: Mapping[str, int], sizes: Mapping[int, int]) -> Grouping:
    """Groups rows, each given by its references; ``known`` maps a reference to a thread, ``sizes`` counts messages."""
    parent: dict[int, int] = {}
    size = dict(sizes)
    of_ref = dict(known)
    nodes: list[int] = []

    def root(node: int) -> int:
        while (above := parent.get(node)) is not None:
            node = above
        return node

    for number, refs in enumerate(rows):
        met = dict.fromkeys(root(of_ref[ref]) for ref in refs if ref in of_ref)
        node = _join(list(met), parent, size, fresh=-1 - number)
        size[node] = size.get(node, 0) + 1
        for ref in refs:
            of_ref.setdefault(ref, node)
        nodes.append(node)
    return Grouping(
        nodes=[root(node) for node in nodes],
        merges={loser: root(loser) for loser in parent if loser > 0},
        refs={ref: root(node) for ref, node in of_ref.items() if ref not in known},
    )


def _join(met: list[int], parent: dict[int, int], size: dict[int, int], *, fresh: int) -> int:
    """The conversation of a row that met these; joins them as far as the limit allows."""
    if not met:
        return fresh
    met.sort(key=lambda node: (node < 0, -size.get(node, 0), abs(node)))  # known before new, large before small
    best = met[0]
    if size.get(best, 0) >= LARGEST:
        return fresh
    for other in met[1:]:
        if size.get(best, 0) + size.get(other, 0) < LARGEST:
            parent[other] = best
            size[best] = size.get(best, 0) + size.get(other, 0)
    return best
