"""A card of somebody's address book changed in place (RFC 6350, vCard 3.0 and 2.1).

What this product knows of a person is read from the card, and only the lines that say it are written anew; every other
line (photos, X- properties, labels of other programs) stays as it is, fold by fold. Pure, total, linear.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from webmail.mime.contact_cards import components, decoded, is_address
from webmail.mime.contentlines import Line, content_line, escaped, folded, is_quoted, plain, plain_lines

LISTS: Final = ("mails", "numbers", "addresses")
LONGEST_NOTES: Final = 10_000
MOST_OF_A_KIND: Final = 20
_LONGEST: Final = {"name": 200, "organisation": 200, "role": 200, "mails": 320, "numbers": 60, "addresses": 300}
_KINDS: Final = {"EMAIL": "mails", "TEL": "numbers", "ADR": "addresses"}
_NAMES: Final = {"mails": "EMAIL", "numbers": "TEL", "addresses": "ADR"}
_LABELS: Final = frozenset({"X-ABLABEL", "X-ABADR"})  # what Apple's programs say of the line with the same group
_MODELLED: Final = frozenset({"VERSION", "FN", "N", "ORG", "TITLE", "ROLE", "NOTE", "KIND", "UID", *_KINDS})
_GROUP: Final = re.compile(r"([A-Za-z0-9-]{1,60})\.")
_HEAD: Final = re.compile(r"(?:[A-Za-z0-9-]{1,60}\.)?([A-Za-z0-9-]{1,60})[;:]")
_PLAIN_PARAMETERS: Final = re.compile(r";(?:ENCODING=)?QUOTED-PRINTABLE|;CHARSET=[^;:]{0,60}", re.IGNORECASE)
_PARTS: Final = re.compile(r"((?:[^\\;]|\\.)*)(?:;|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Values:
    """What this product knows of somebody; lists keep their order."""

    name: str = ""
    organisation: str = ""
    role: str = ""
    mails: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    notes: str = ""

    @property
    def says_something(self) -> bool:
        return bool(self.name or self.mails or self.numbers or self.organisation)


FIELDS: Final = tuple(field.name for field in fields(Values))


@dataclass(slots=True)
class _Property:
    """``raw`` is the line with its folds, without the last line end; ``line`` is read only of what is modelled."""

    raw: str
    name: str
    group: str = ""
    head: str = ""  # up to the colon, which it holds
    line: Line | None = None


def read_values(card: str) -> Values:
    """What the card says, within the bounds of an address book. Never raises."""
    return _values(_properties(card))


def uid_of(card: str) -> str:
    """The UID as it stands, "" without one, or with one that is no single line of text."""
    found = next((one.line.value.strip() for one in _properties(card) if one.name == "UID" and one.line), "")
    return found if found.isprintable() and len(found) <= 255 else ""


def is_group(card: str) -> bool:
    """Whether the card is about several people: KIND of RFC 6350 section 6.1.4, or what Apple's programs write."""
    return any(
        one.name in ("KIND", "X-ADDRESSBOOKSERVER-KIND") and one.raw.rstrip().lower().endswith(":group")
        for one in _properties(card)
    )


def edited(card: str, wanted: Values) -> str:
    """The card with these values. Where it says them already, its lines stay as they are."""
    props = _properties(card)
    before = _values(props)
    four = any(one.name == "VERSION" and one.line is not None and one.line.value.strip() == "4.0" for one in props)
    if wanted.name != before.name:
        # every card has a name to be shown by (RFC 6350 section 6.2.1)
        first = next(iter((*wanted.mails, wanted.organisation, *wanted.numbers)), "")
        _rename(props, before.name, wanted.name, wanted.name or first)
    if wanted.organisation != before.organisation:
        _set_first(props, ("ORG",), wanted.organisation, _organisation)
    if wanted.role != before.role:
        _set_first(props, ("TITLE", "ROLE"), wanted.role, lambda _old, text: escaped(text))
    if wanted.notes != before.notes:
        _set_first(props, ("NOTE",), wanted.notes, _notes)
    for kind in LISTS:
        if getattr(wanted, kind) != getattr(before, kind):
            _set_list(props, kind, getattr(wanted, kind), four=four)
    return "\r\n".join(one.raw for one in props) + "\r\n"


def _properties(card: str) -> list[_Property]:
    return [_property(raw) for raw in _logical_lines(card)]


def _logical_lines(card: str) -> Iterator[str]:
    """Lines with what continues them, line ends within as CRLF; those that are wholly empty are left out."""
    held: list[str] = []
    soft = False
    for line in card.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if held and (line[:1] in (" ", "\t") or soft):
            held.append(line)
        else:
            if any(held):
                yield "\r\n".join(held)
            held = [line]
        soft = bool(held) and line[-1:] == "=" and "QUOTED-PRINTABLE" in held[0][:300].upper()
    if any(held):
        yield "\r\n".join(held)


def _property(raw: str) -> _Property:
    found = _HEAD.match(raw)
    name = found[1].upper() if found else raw[:60].strip().upper()
    if name not in _MODELLED:
        return _Property(raw, name, _group(raw))
    text = raw.replace("\r\n ", "").replace("\r\n\t", "")
    if "\r\n" in text:  # soft line breaks of vCard 2.1
        text = text.replace("=\r\n", "")
    line = content_line(text)
    if line is None:
        return _Property(raw, name, _group(raw))
    return _Property(raw, name, _group(raw), text[: len(text) - len(line.value)], line)


def _group(raw: str) -> str:
    found = _GROUP.match(raw)
    return found[1].upper() if found else ""


def _values(props: Sequence[_Property]) -> Values:
    texts = {"name": "", "organisation": "", "role": "", "notes": ""}
    for one in props:
        if one.line is None:
            continue
        value = decoded(one.line)
        if one.name == "FN":
            texts["name"] = texts["name"] or plain(value, longest=_LONGEST["name"])
        elif one.name == "ORG":
            texts["organisation"] = texts["organisation"] or ", ".join(components(value))[: _LONGEST["organisation"]]
        elif one.name in ("TITLE", "ROLE"):
            texts["role"] = texts["role"] or plain(value, longest=_LONGEST["role"])
        elif one.name == "NOTE":
            texts["notes"] = texts["notes"] or _all_notes(value)[:LONGEST_NOTES].strip()
    if not texts["name"]:
        texts["name"] = next((_of_parts(decoded(one.line)) for one in props if one.name == "N" and one.line), "")
    mails, numbers, addresses = (tuple(value for value, _ in _listed(props, kind)) for kind in LISTS)
    words = texts["name"], texts["organisation"], texts["role"]
    return Values(*words, mails, numbers, addresses, texts["notes"])


def _all_notes(value: str) -> str:
    return plain_lines(value, longest=1_000_000)


def _of_parts(value: str) -> str:
    family, given = [*_split(value), "", ""][:2]
    words = (plain(given, longest=100), plain(family, longest=100))
    return " ".join(word for word in words if word)[: _LONGEST["name"]]


def _listed(props: Sequence[_Property], kind: str) -> list[tuple[str, _Property]]:
    """The values of a list with the lines that say them; lines without one of our kind of value are not among them."""
    found: dict[str, _Property] = {}
    for one in props:
        if _KINDS.get(one.name) != kind or one.line is None or len(found) >= MOST_OF_A_KIND:
            continue
        value = _one_value(kind, decoded(one.line))
        if value and value not in found:
            found[value] = one
    return list(found.items())


def _repeated(props: Sequence[_Property], kind: str, lines: Mapping[str, _Property], going: set[str]) -> set[int]:
    """The lines that say once more what is going, by their ids."""
    again = [one for one in props if _KINDS.get(one.name) == kind and one.line is not None]
    return {
        id(one)
        for one in again
        if one.line is not None and (value := _one_value(kind, decoded(one.line))) in going and one is not lines[value]
    }


def _one_value(kind: str, value: str) -> str:
    if kind == "addresses":
        return ", ".join(components(value))[: _LONGEST[kind]]
    text = plain(re.sub(r"^(?:mailto|tel):", "", value.strip(), flags=re.IGNORECASE), longest=_LONGEST[kind])
    return text if kind == "numbers" or is_address(text) else ""


def _split(value: str) -> list[str]:
    """The parts between semicolons as they stand, escapes included."""
    return [found[1] for found in _PARTS.finditer(value)][: value.count(";") + 1]


# --- writing ---------------------------------------------------------------------------------------------------------


def _written(one: _Property, value: str) -> _Property:
    """The property with another value, which is escaped already; its parameters stay."""
    head = _PLAIN_PARAMETERS.sub("", one.head) if one.line is not None and is_quoted(one.line) else one.head
    return _made(head, value, one.name, one.group)


def _made(head: str, value: str, name: str, group: str = "") -> _Property:
    text = head + value
    return _Property(folded(text).replace("\n ", "\r\n "), name, group, head, content_line(text))


def _end(props: Sequence[_Property]) -> int:
    return next((n for n, one in enumerate(props) if one.name == "END"), len(props))


def _set_first(props: list[_Property], names: Sequence[str], text: str, write: Callable[[str, str], str]) -> None:
    """The first line of these names that says something gets the text, goes without one, or is made."""
    for number, one in enumerate(props):
        if one.name in names and one.line is not None and (components(decoded(one.line)) or one.line.value.strip()):
            if text:
                props[number] = _written(one, write(decoded(one.line), text))
            else:
                del props[number]
                _forget_labels(props, one)
            return
    if text:
        props.insert(_end(props), _made(f"{names[0]}:", write("", text), names[0]))


def _organisation(old: str, text: str) -> str:
    """Units are told apart by commas here; where their number is the same, each stays where it is."""
    before, now = _split(old), text.split(", ")
    said = [n for n, part in enumerate(before) if plain(part, longest=300)]
    if len(said) != len(now):
        return escaped(text)
    return _placed(before, said, now)


def _placed(parts: list[str], said: list[int], now: Sequence[str]) -> str:
    for position, value in zip(said, now, strict=True):
        if plain(parts[position], longest=300) != value:
            parts[position] = escaped(value)
    return ";".join(parts)


def _notes(old: str, text: str) -> str:
    """Of notes that are longer than we keep, the end that nobody saw stays."""
    return escaped(text + _all_notes(old)[LONGEST_NOTES:])


def _address(old: str, text: str) -> str:
    before = (_split(old) + [""] * 7)[:7] if old else [""] * 7
    said = [n for n, part in enumerate(before) if plain(part, longest=300)]
    now = text.split(", ")
    if said and len(said) == len(now):
        return _placed(before, said, now)
    return ";".join(["", "", escaped(text), "", "", "", ""])


def _rename(props: list[_Property], old: str, new: str, shown: str) -> None:
    """FN, and N, which has to say the same in parts (RFC 2426 section 3.1.2)."""
    for number, one in enumerate(props):
        if one.name == "FN" and one.line is not None:
            props[number] = _written(one, escaped(shown))
            break
    else:
        props.insert(_end(props), _made("FN:", escaped(shown), "FN"))
    for number, one in enumerate(props):
        if one.name == "N" and one.line is not None:
            props[number] = _written(one, _parts_of(decoded(one.line), old, new))
            return
    props.insert(_end(props), _made("N:", _parts_of("", old, new), "N"))


def _parts_of(value: str, old: str, new: str) -> str:
    """The parts of a name: what goes on being said stays, the rest is parted before the last word."""
    parts = (_split(value) + [""] * 5)[:5]
    family, given = plain(parts[0], longest=100), plain(parts[1], longest=100)
    if family and old.endswith(family) and new.startswith(before := old.removesuffix(family)) and new != before:
        return ";".join([escaped(new[len(before) :]), *parts[1:]])
    if given and old.startswith(given) and new.endswith(after := old.removeprefix(given)) and new != after:
        return ";".join([parts[0], escaped(new[: len(new) - len(after)]), *parts[2:]])
    first, _, last = new.rpartition(" ")
    return ";".join([escaped(last), escaped(first), "", "", ""])


def _set_list(props: list[_Property], kind: str, wanted: Sequence[str], *, four: bool) -> None:
    """The lines of a list in the new order: known values keep their lines, a value in the place of one that went takes
    over its line with all it says (TYPE, labels), others are made.
    """
    listed = _listed(props, kind)
    lines, values = dict(listed), [value for value, _ in listed]
    left = [value for value in values if value not in wanted]
    fresh = [value for value in wanted if value not in lines]
    result: list[_Property] = []
    for number, value in enumerate(wanted):
        if value in lines:
            result.append(lines[value])
            continue
        there = values[number] if number < len(values) and values[number] in left else ""
        if not there and left and len(left) == len(fresh):
            there = left[0]
        if there:
            left.remove(there)
            result.append(_revalued(lines[there], kind, value))
        else:
            result.append(_fresh(kind, value, four=four))
        fresh.remove(value)
    said_twice = _repeated(props, kind, lines, {value for value in values if value not in wanted})
    props[:] = [one for one in props if id(one) not in said_twice]
    old = [id(one) for _, one in listed]
    slots = [number for number, one in enumerate(props) if id(one) in old]
    kept = {one.group for one in result if one.group}
    gone = [lines[value] for value in left]
    for slot, one in zip(slots, result, strict=False):
        props[slot] = one
    for slot in reversed(slots[len(result) :]):
        del props[slot]
    more = result[len(slots) :]
    at = slots[-1] + 1 if slots else _end(props)
    props[at:at] = more
    for one in gone:
        if one.group not in kept:
            _forget_labels(props, one)


def _revalued(one: _Property, kind: str, value: str) -> _Property:
    assert one.line is not None
    old = decoded(one.line)
    if kind == "addresses":
        return _written(one, _address(old, value))
    scheme = re.match(r"(?:mailto|tel):", old.strip(), re.IGNORECASE)
    if scheme is None:
        return _written(one, escaped(value))
    return _written(one, scheme[0] + re.sub(r"\s+", "-", value))


def _fresh(kind: str, value: str, *, four: bool) -> _Property:
    name = _NAMES[kind]
    if kind == "addresses":
        return _made("ADR:", _address("", value), name)
    return _made("EMAIL;TYPE=INTERNET:" if name == "EMAIL" and not four else f"{name}:", escaped(value), name)


def _forget_labels(props: list[_Property], gone: _Property) -> None:
    """What another program called a line that is gone goes with it."""
    if gone.group:
        props[:] = [one for one in props if not (one.group == gone.group and one.name in _LABELS)]


def of_fields(found: Mapping[str, Any]) -> Values:
    """The values in a mapping by the names of the fields; what else it holds is left out."""
    taken: dict[str, Any] = {
        name: tuple(found[name]) if name in LISTS else found[name] for name in FIELDS if name in found
    }
    return Values(**taken)


def with_values(values: Values, **changes: object) -> Values:
    return replace(values, **changes)  # type: ignore[arg-type]  # names and kinds are those of the fields
