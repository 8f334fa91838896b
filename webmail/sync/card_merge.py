"""What becomes of a contact that was changed here and there: decided field by field, so that nothing is lost. Pure."""

from dataclasses import dataclass, field
from typing import Any

from webmail.mime.card_lines import FIELDS, LISTS, LONGEST_NOTES, MOST_OF_A_KIND, Values


@dataclass(frozen=True, slots=True)
class Merged:
    """``crossed``: fields in which one side had to give way, as (here, there); there is what was kept."""

    values: Values
    crossed: dict[str, tuple[str, str]] = field(default_factory=dict)


def changed(before: Values, after: Values) -> frozenset[str]:
    return frozenset(name for name in FIELDS if getattr(before, name) != getattr(after, name))


def onto(values: Values, other: Values, names: frozenset[str]) -> Values:
    """The values, with the named fields of the other."""
    taken: dict[str, Any] = {name: getattr(other if name in names else values, name) for name in FIELDS}
    return Values(**taken)


def merge(base: Values, here: Values, old: Values, new: Values) -> Merged:
    """``base`` became ``here`` with us, while the server's ``old`` became ``new``.

    A field that one side changed is taken from it. Of lists both changed, all that was added stays and all that was
    taken out goes; notes stand below each other; of any other field the server's stays, and ours is told.
    """
    ours, theirs = changed(base, here), changed(old, new)
    found: dict[str, Any] = {}
    crossed: dict[str, tuple[str, str]] = {}
    for name in FIELDS:
        mine, other = getattr(here, name), getattr(new, name)
        if name not in theirs or mine == other:
            found[name] = mine
        elif name not in ours:
            found[name] = other
        elif name in LISTS:
            found[name] = _joined(getattr(base, name), mine, other)
        elif not mine or not other:
            found[name] = mine or other
        elif name == "notes" and len(mine) + len(other) + 2 <= LONGEST_NOTES:
            found[name] = other if mine in other else mine if other in mine else f"{other}\n\n{mine}"
        else:
            found[name] = other
            crossed[name] = (mine, other)
    return Merged(Values(**found), crossed)


def _joined(base: tuple[str, ...], here: tuple[str, ...], there: tuple[str, ...]) -> tuple[str, ...]:
    known = {value.lower() for value in there}
    kept = [value for value in there if value in here or value not in base]
    added = [value for value in here if value not in base and value.lower() not in known]
    return tuple([*kept, *added][:MOST_OF_A_KIND])
