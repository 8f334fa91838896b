"""Commands about mailboxes: LIST and its extensions (RFC 5258, 5819, 6154), STATUS, SELECT, CREATE and the like."""

import re
from dataclasses import dataclass

from deploy.demo.imap.session import Handler, Session
from deploy.demo.imap.wire import Bad, No, Token, astring, atom, decode_utf7, encode_utf7, mailbox_name, words
from deploy.demo.store import Mailbox
from deploy.demo.structure import nstring

SYSTEM_FLAGS = "\\Answered \\Flagged \\Deleted \\Seen \\Draft"


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What LIST was asked for: selection options, patterns, return options, STATUS items."""

    selection: frozenset[str]
    patterns: tuple[str, ...]
    returns: frozenset[str]
    status: tuple[str, ...]
    verb: str = "LIST"


def quoted_name(name: str) -> str:
    return nstring(encode_utf7(name)).decode("ascii")


async def list_(session: Session, args: list[Token]) -> str:
    session.signed_in()
    selection: frozenset[str] = frozenset()
    if isinstance(args[0], list):
        selection = frozenset(atom(option).upper() for option in args.pop(0) if isinstance(option, str))
    reference = mailbox_name(args[0])
    asked = args[1] if isinstance(args[1], list) else [args[1]]
    if len(args) == 2 and not selection and asked == [b""]:
        session.send('* LIST (\\Noselect) "/" ""')
        return "That is the separator"
    options = words(args[3]) if len(args) > 3 and atom(args[2]).upper() == "RETURN" else []
    status: tuple[str, ...] = ()
    for at, option in enumerate(options):
        if isinstance(option, list) and at and options[at - 1] == "STATUS":
            status = tuple(atom(item).upper() for item in option)
    returns = frozenset(option.upper() for option in options if isinstance(option, str))
    patterns = tuple(reference + decode_utf7(astring(pattern)) for pattern in asked)
    _show(session, ListRequest(selection, patterns, returns, status))
    return "Listed"


async def lsub(session: Session, args: list[Token]) -> str:
    pattern = mailbox_name(args[0]) + decode_utf7(astring(args[1]))
    _show(session, ListRequest(frozenset({"SUBSCRIBED"}), (pattern,), frozenset(), (), verb="LSUB"))
    return "Listed"


def _show(session: Session, request: ListRequest) -> None:
    boxes = session.store.mailboxes(session.signed_in())
    names = {box.name for box in boxes}
    wanted = re.compile("|".join(f"(?:{_pattern(pattern)})" for pattern in request.patterns) or "(?!)")
    for box in boxes:
        if not wanted.fullmatch(box.name):
            continue
        if "SUBSCRIBED" in request.selection and not box.subscribed:
            continue
        if "SPECIAL-USE" in request.selection and not box.special_use:
            continue
        attributes = [_children(box, names)]
        if box.special_use:
            attributes.append(box.special_use)
        if box.subscribed and "SUBSCRIBED" in request.selection | request.returns:
            attributes.append("\\Subscribed")
        session.send(f'* {request.verb} ({" ".join(attributes)}) "/" {quoted_name(box.name)}')
        if request.status:
            _send_status(session, box, request.status)


def _children(box: Mailbox, names: set[str]) -> str:
    return "\\HasChildren" if any(name.startswith(box.name + "/") for name in names) else "\\HasNoChildren"


def _pattern(text: str) -> str:
    text = "INBOX" if text.upper() == "INBOX" else text
    return "".join({"*": ".*", "%": "[^/]*"}.get(char, re.escape(char)) for char in text)


async def status(session: Session, args: list[Token]) -> str:
    box = session.mailbox(mailbox_name(args[0]))
    _send_status(session, box, tuple(atom(item).upper() for item in words(args[1])))
    return "That is how it stands"


def _send_status(session: Session, box: Mailbox, items: tuple[str, ...]) -> None:
    rows = session.store.rows(box.id)
    values = {
        "MESSAGES": len(rows),
        "RECENT": 0,
        "UIDNEXT": box.uidnext,
        "UIDVALIDITY": box.uidvalidity,
        "UNSEEN": sum("\\Seen" not in row.flags for row in rows),
        "HIGHESTMODSEQ": box.highestmodseq,
    }
    unknown = set(items) - set(values)
    if unknown:
        raise Bad("I do not know such a STATUS item")
    session.condstore = session.condstore or "HIGHESTMODSEQ" in items
    session.send(f"* STATUS {quoted_name(box.name)} ({' '.join(f'{item} {values[item]}' for item in items)})")


async def select(session: Session, args: list[Token]) -> str:
    return _open(session, args, read_only=False)


async def examine(session: Session, args: list[Token]) -> str:
    return _open(session, args, read_only=True)


def _open(session: Session, args: list[Token], *, read_only: bool) -> str:
    session.signed_in()
    session.unselect()
    box = session.mailbox(mailbox_name(args[0]))
    if len(args) > 1 and "CONDSTORE" in [str(option).upper() for option in words(args[1])]:
        session.condstore = True
    selected = session.select(box, read_only=read_only)
    rows = session.store.rows(box.id)
    keywords = sorted({flag for row in rows for flag in row.flags if not flag.startswith("\\")})
    flags = " ".join([SYSTEM_FLAGS, *keywords])
    session.send(f"* FLAGS ({flags})")
    permanent = "" if read_only else flags + " \\*"
    session.send(f"* OK [PERMANENTFLAGS ({permanent})] These stay")
    session.send(f"* {len(selected.uids)} EXISTS")
    session.send("* 0 RECENT")
    unseen = next((number for number, row in enumerate(rows, 1) if "\\Seen" not in row.flags), 0)
    if unseen:
        session.send(f"* OK [UNSEEN {unseen}] The first unread one")
    session.send(f"* OK [UIDVALIDITY {box.uidvalidity}] UIDs are valid")
    session.send(f"* OK [UIDNEXT {box.uidnext}] The next UID")
    session.send(f"* OK [HIGHESTMODSEQ {box.highestmodseq}] The highest mod-sequence")
    return "[READ-ONLY] Opened for reading" if read_only else "[READ-WRITE] Opened"


async def unselect(session: Session, _: list[Token]) -> str:
    session.chosen()
    session.unselect()
    return "Nothing is selected now"


def _new_name(token: Token) -> str:
    """A name that a new mailbox may have; raises No."""
    name = mailbox_name(token).rstrip("/")
    if not name or "//" in name or name.startswith("/") or any(not char.isprintable() for char in name):
        raise No("[CANNOT] A mailbox cannot have that name")
    return name


async def create(session: Session, args: list[Token]) -> str:
    name = _new_name(args[0])
    try:
        session.store.create_mailbox(session.signed_in(), name)
    except ValueError:
        raise No("[ALREADYEXISTS] There is such a mailbox already") from None
    return "Created"


async def delete(session: Session, args: list[Token]) -> str:
    box = session.mailbox(mailbox_name(args[0]))
    if box.name == "INBOX" or any(
        other.name.startswith(box.name + "/") for other in session.store.mailboxes(box.account)
    ):
        raise No("[CANNOT] INBOX and mailboxes with others below them stay")
    session.store.delete_mailbox(box.id)
    return "Deleted"


async def rename(session: Session, args: list[Token]) -> str:
    box, name = session.mailbox(mailbox_name(args[0])), _new_name(args[1])
    if session.store.find_mailbox(box.account, name) is not None:
        raise No("[ALREADYEXISTS] There is such a mailbox already")
    if box.name == "INBOX" or name.startswith(box.name + "/"):
        raise No("[CANNOT] That cannot be renamed so")
    session.store.rename_mailbox(box, name)
    return "Renamed"


async def subscribe(session: Session, args: list[Token]) -> str:
    session.store.subscribe(session.mailbox(mailbox_name(args[0])).id, True)
    return "Subscribed"


async def unsubscribe(session: Session, args: list[Token]) -> str:
    session.store.subscribe(session.mailbox(mailbox_name(args[0])).id, False)
    return "Subscribed no longer"


async def namespace(session: Session, _: list[Token]) -> str:
    session.signed_in()
    session.send('* NAMESPACE (("" "/")) NIL NIL')
    return "That is all of it"


HANDLERS: dict[str, Handler] = {
    "LIST": list_,
    "LSUB": lsub,
    "STATUS": status,
    "SELECT": select,
    "EXAMINE": examine,
    "UNSELECT": unselect,
    "CREATE": create,
    "DELETE": delete,
    "RENAME": rename,
    "SUBSCRIBE": subscribe,
    "UNSUBSCRIBE": unsubscribe,
    "NAMESPACE": namespace,
}
