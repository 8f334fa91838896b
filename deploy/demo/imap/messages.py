"""Commands about messages: FETCH, STORE, SEARCH, COPY, MOVE, EXPUNGE, APPEND (RFC 3501, 4315, 6851, 7162)."""

import time
from dataclasses import replace

from deploy.demo.imap.fetching import Item, describe, parse_items
from deploy.demo.imap.searching import search_answer
from deploy.demo.imap.session import Handler, Selected, Session
from deploy.demo.imap.wire import (
    Bad,
    No,
    Token,
    astring,
    atom,
    choose,
    compact,
    mailbox_name,
    parse_date_time,
    words,
)  # fmt: skip
from deploy.demo.store import Copied, NewMessage, Row

DRAIN_EVERY = 64


def targets(selected: Selected, spec: Token, *, by_uid: bool) -> list[int]:
    """The UIDs that a sequence set means; raises Bad for numbers that do not exist."""
    text = atom(spec)
    if by_uid:
        return choose(text, selected.uids)
    numbers = range(1, len(selected.uids) + 1)
    chosen = choose(text, numbers)
    if not chosen and text != "1:*":
        raise Bad("There are no such messages")
    return [selected.uids[number - 1] for number in chosen]


def _modifiers(token: Token) -> dict[str, int]:
    """`(CHANGEDSINCE 5)` or `(UNCHANGEDSINCE 5)` as a dictionary; raises Bad."""
    inside = words(token)
    try:
        return {atom(inside[at]).upper(): int(atom(inside[at + 1])) for at in range(0, len(inside), 2)}
    except (ValueError, IndexError):
        raise Bad("I do not know such a modifier") from None


async def _fetch(session: Session, args: list[Token], *, by_uid: bool) -> str:
    selected = session.chosen()
    uids = set(targets(selected, args[0], by_uid=by_uid))
    items = parse_items(args[1])
    since = -1
    if len(args) > 2:
        modifiers = _modifiers(args[2])
        if set(modifiers) != {"CHANGEDSINCE"}:
            raise Bad("Only CHANGEDSINCE is known")
        since = modifiers["CHANGEDSINCE"]
        items.append(Item("MODSEQ"))
    if by_uid:
        items.insert(0, Item("UID"))
    items = list(dict.fromkeys(items))
    session.condstore = session.condstore or any(item.name == "MODSEQ" for item in items)
    rows = [row for row in session.store.rows(selected.mailbox, changed_since=since) if row.uid in uids]
    if any(item.marks_seen for item in items) and not selected.read_only:
        rows = _mark_seen(session, selected, rows)
        items = list(dict.fromkeys([*items, Item("FLAGS")]))
    for count, row in enumerate(rows, 1):
        number = selected.number(row.uid)
        session.send(b"* %d FETCH (%b)" % (number, describe(session.store, row, items)))
        if count % DRAIN_EVERY == 0:
            await session.writer.drain()
    return "Fetched"


def _mark_seen(session: Session, selected: Selected, rows: list[Row]) -> list[Row]:
    fresh = {row.uid: (*row.flags, "\\Seen") for row in rows if "\\Seen" not in row.flags}
    if not fresh:
        return rows
    session.tell_news(numbers_may_change=False)
    modseq = session.store.store_flags(selected.mailbox, fresh)
    selected.flags_told = modseq
    return [replace(row, flags=fresh[row.uid], modseq=modseq) if row.uid in fresh else row for row in rows]


async def _store(session: Session, args: list[Token], *, by_uid: bool) -> str:
    selected = session.chosen(to_write=True)
    uids = set(targets(selected, args[0], by_uid=by_uid))
    unchanged_since = None
    if isinstance(args[1], list):
        unchanged_since = _modifiers(args.pop(1)).get("UNCHANGEDSINCE")
        session.condstore = True
    verb = atom(args[1]).upper()
    silent = verb.endswith(".SILENT")
    verb = verb.removesuffix(".SILENT")
    if verb not in {"FLAGS", "+FLAGS", "-FLAGS"}:
        raise Bad("FLAGS, +FLAGS or -FLAGS was expected")
    flags = parse_flags(args[2] if isinstance(args[2], list) else args[2:])
    session.tell_news(numbers_may_change=False)
    rows = [row for row in session.store.rows(selected.mailbox) if row.uid in uids]
    late = [row for row in rows if unchanged_since is not None and row.modseq > unchanged_since]
    rows = [row for row in rows if row not in late]
    wanted = {row.uid: _changed(verb, row.flags, flags) for row in rows}
    # a row that already has these flags keeps its mod-sequence: nobody needs to be told
    changed = {row.uid: wanted[row.uid] for row in rows if set(wanted[row.uid]) != set(row.flags)}
    if changed:
        selected.flags_told = session.store.store_flags(selected.mailbox, changed)
    for row in rows:
        modseq = selected.flags_told if row.uid in changed else row.modseq
        if not silent or session.condstore:
            session.send(session.flags_line(replace(row, flags=wanted[row.uid], modseq=modseq), silent=silent))
    if late:
        named = [row.uid if by_uid else selected.number(row.uid) for row in late]
        return f"[MODIFIED {compact(named)}] Some had changed meanwhile"
    return "Stored"


def parse_flags(token: Token) -> tuple[str, ...]:
    """Flags of a command, system flags in their usual spelling; raises Bad."""
    flags = []
    for word in words(token):
        flag = atom(word)
        if flag.startswith("\\"):
            flag = flag.title()
            if flag not in {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"}:
                raise Bad("I do not know such a flag")
        flags.append(flag)
    return tuple(dict.fromkeys(flags))


def _changed(verb: str, old: tuple[str, ...], flags: tuple[str, ...]) -> tuple[str, ...]:
    if verb == "FLAGS":
        return flags
    rest = tuple(flag for flag in old if flag not in flags)
    return rest if verb == "-FLAGS" else rest + flags


def _target(session: Session, token: Token) -> str:
    name = mailbox_name(token)
    if session.store.find_mailbox(session.signed_in(), name) is None:
        raise No("[TRYCREATE] There is no such mailbox")
    return name


def _copyuid(copied: Copied) -> str:
    return f"[COPYUID {copied.uidvalidity} {compact(copied.source)} {compact(copied.target)}]"


async def _copy(session: Session, args: list[Token], *, by_uid: bool) -> str:
    selected = session.chosen()
    uids = targets(selected, args[0], by_uid=by_uid)
    copied = session.store.copy(selected.mailbox, uids, session.mailbox(_target(session, args[1])))
    return f"{_copyuid(copied)} Copied" if copied.source else "There was nothing to copy"


async def _move(session: Session, args: list[Token], *, by_uid: bool) -> str:
    selected = session.chosen(to_write=True)
    uids = targets(selected, args[0], by_uid=by_uid)
    target = session.mailbox(_target(session, args[1]))
    if target.id == selected.mailbox:
        raise No("[CANNOT] They are there already")
    copied = session.store.move(selected.mailbox, uids, target)
    if not copied.source:
        return "There was nothing to move"
    session.send(f"* OK {_copyuid(copied)} Moved")
    return "Moved"


async def _search(session: Session, args: list[Token], *, by_uid: bool) -> str:
    session.send(search_answer(session, args, by_uid=by_uid))
    return "Searched"


async def fetch(session: Session, args: list[Token]) -> str:
    return await _fetch(session, args, by_uid=False)


async def store(session: Session, args: list[Token]) -> str:
    return await _store(session, args, by_uid=False)


async def copy(session: Session, args: list[Token]) -> str:
    return await _copy(session, args, by_uid=False)


async def move(session: Session, args: list[Token]) -> str:
    return await _move(session, args, by_uid=False)


async def search(session: Session, args: list[Token]) -> str:
    return await _search(session, args, by_uid=False)


async def expunge(session: Session, _: list[Token]) -> str:
    selected = session.chosen(to_write=True)
    _expunge(session, selected, set(selected.uids))
    return "Expunged"


def _expunge(session: Session, selected: Selected, uids: set[int]) -> None:
    marked = [row.uid for row in session.store.rows(selected.mailbox) if "\\Deleted" in row.flags and row.uid in uids]
    session.store.expunge(selected.mailbox, marked)


async def close(session: Session, _: list[Token]) -> str:
    selected = session.chosen()
    if not selected.read_only:
        _expunge(session, selected, set(selected.uids))
    session.unselect()
    return "Closed"


async def uid(session: Session, args: list[Token]) -> str:
    verb, rest = atom(args[0]).upper(), args[1:]
    if verb == "EXPUNGE":
        selected = session.chosen(to_write=True)
        _expunge(session, selected, set(targets(selected, rest[0], by_uid=True)))
        return "Expunged"
    handler = {"FETCH": _fetch, "STORE": _store, "COPY": _copy, "MOVE": _move, "SEARCH": _search}.get(verb)
    if handler is None:
        raise Bad("I do not know that command")
    return await handler(session, rest, by_uid=True)


async def append(session: Session, args: list[Token]) -> str:
    box = session.mailbox(_target(session, args[0]))
    flags: tuple[str, ...] = ()
    when = int(time.time())
    for token in args[1:-1]:
        if isinstance(token, list):
            flags = parse_flags(token)
        else:
            when = parse_date_time(astring(token).decode("latin-1"))
    if len(args) < 2 or not isinstance(args[-1], bytes):
        raise Bad("A message was expected as literal")
    (new,) = session.store.append(box.id, [NewMessage(args[-1], flags, when)])
    return f"[APPENDUID {box.uidvalidity} {new}] Appended"


HANDLERS: dict[str, Handler] = {
    "FETCH": fetch,
    "STORE": store,
    "SEARCH": search,
    "COPY": copy,
    "MOVE": move,
    "EXPUNGE": expunge,
    "CLOSE": close,
    "UID": uid,
    "APPEND": append,
}
