"""SEARCH and its extended answer (RFC 3501 section 6.4.4, RFC 4731, RFC 7162 section 3.1.5)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from deploy.demo.imap.session import Session
from deploy.demo.imap.wire import Bad, No, Token, astring, atom, choose, compact, parse_date
from deploy.demo.store import Row, Store

DAY = 86_400
FLAG_KEYS = {
    "ANSWERED": "\\Answered",
    "DELETED": "\\Deleted",
    "DRAFT": "\\Draft",
    "FLAGGED": "\\Flagged",
    "SEEN": "\\Seen",
}
RETURNS = {"MIN", "MAX", "ALL", "COUNT"}


@dataclass(slots=True)
class Candidate:
    """A message that is being looked at; its text is decoded only when a key asks for it."""

    store: Store
    row: Row
    number: int
    _message: EmailMessage | None = field(default=None)

    @property
    def message(self) -> EmailMessage:
        if self._message is None:
            parsed = message_from_bytes(self.store.raw(self.row.content), policy=policy.default)
            assert isinstance(parsed, EmailMessage)
            self._message = parsed
        return self._message

    def header(self, name: str) -> str | None:
        """All fields of that name as text in lower case; None when there is none."""
        values = self.message.get_all(name)
        return None if values is None else "\n".join(str(value) for value in values).lower()

    def body(self) -> str:
        return "\n".join(_texts(self.message)).lower()

    def sent_day(self) -> int:
        """Midnight of the Date field's own day; of the arrival when there is no such field."""
        try:
            sent = parsedate_to_datetime(str(self.message["date"]))
            return parse_date(f"{sent.day}-{sent:%b}-{sent.year}")
        except (TypeError, ValueError):
            return self.row.internaldate // DAY * DAY


Matcher = Callable[[Candidate], bool]


def _texts(message: EmailMessage) -> Iterator[str]:
    for part in message.walk():
        if part.get_content_maintype() == "text":
            payload = part.get_payload(decode=True)
            try:
                yield bytes(payload or b"").decode(part.get_content_charset("utf-8"), "replace")
            except LookupError:
                yield bytes(payload or b"").decode("latin-1")


def search_answer(session: Session, args: list[Token], *, by_uid: bool) -> str:
    """The untagged SEARCH or ESEARCH line; raises Bad and No."""
    selected = session.chosen()
    returns = _take_returns(args)
    if args and isinstance(args[0], str) and args[0].upper() == "CHARSET":
        if astring(args[1]).decode("latin-1").upper() not in {"UTF-8", "US-ASCII"}:
            raise No("[BADCHARSET (UTF-8 US-ASCII)] I do not read that charset")
        del args[:2]
    if not args:
        raise Bad("What shall I look for?")
    uses_modseq = any(isinstance(arg, str) and arg.upper() == "MODSEQ" for arg in args)
    matcher = _conjunction(args, selected.uids)
    rows = {row.uid: row for row in session.store.rows(selected.mailbox)}
    candidates = [Candidate(session.store, rows[uid], n) for n, uid in enumerate(selected.uids, 1) if uid in rows]
    hits = [candidate for candidate in candidates if matcher(candidate)]
    numbers = [hit.row.uid if by_uid else hit.number for hit in hits]
    highest = max((hit.row.modseq for hit in hits), default=0) if uses_modseq else 0
    if returns is None:
        end = f" (MODSEQ {highest})" if highest else ""
        return " ".join(["* SEARCH", *map(str, numbers)]) + end
    parts = ["* ESEARCH", f'(TAG "{session.tag}")', *(["UID"] if by_uid else [])]
    if numbers:
        values = {"MIN": numbers[0], "MAX": numbers[-1], "ALL": compact(numbers)}
        parts += [f"{name} {value}" for name, value in values.items() if name in returns]
    if "COUNT" in returns:
        parts.append(f"COUNT {len(numbers)}")
    if highest:
        parts.append(f"MODSEQ {highest}")
    return " ".join(parts)


def _take_returns(args: list[Token]) -> set[str] | None:
    if not (len(args) > 1 and isinstance(args[0], str) and args[0].upper() == "RETURN" and isinstance(args[1], list)):
        return None
    asked = {atom(option).upper() for option in args[1]} or {"ALL"}
    if asked - RETURNS:
        raise Bad("I do not know such a RETURN option")
    del args[:2]
    return asked


def _conjunction(args: list[Token], uids: list[int]) -> Matcher:
    rest = list(args)
    matchers = []
    while rest:
        matchers.append(_key(rest, uids))
    return lambda candidate: all(matcher(candidate) for matcher in matchers)


def _key(rest: list[Token], uids: list[int]) -> Matcher:
    """Take one search key and its arguments from the front."""
    token = rest.pop(0)
    if isinstance(token, list):
        return _conjunction(token, uids)
    name = astring(token).decode("latin-1").upper()
    if name == "NOT":
        inner = _key(rest, uids)
        return lambda c: not inner(c)
    if name == "OR":
        left, right = _key(rest, uids), _key(rest, uids)
        return lambda c: left(c) or right(c)
    if name[:1].isdigit() or name[:1] == "*":
        numbers = set(choose(name, range(1, len(uids) + 1)))
        return lambda c: c.number in numbers
    for keys in (_plain_key, _flag_key, _text_key, _number_key, _date_key):
        matcher = keys(name, rest, uids)
        if matcher is not None:
            return matcher
    raise Bad("I do not know such a search key")


def _plain_key(name: str, rest: list[Token], uids: list[int]) -> Matcher | None:
    match name:
        case "ALL" | "OLD":
            return lambda c: True
        case "NEW" | "RECENT":
            return lambda c: False
        case "UID":
            chosen = set(choose(atom(rest.pop(0)), uids))
            return lambda c: c.row.uid in chosen
    return None


def _flag_key(name: str, rest: list[Token], _: list[int]) -> Matcher | None:
    if name in {"KEYWORD", "UNKEYWORD"}:
        flag = atom(rest.pop(0)).lower()
    elif name.removeprefix("UN") in FLAG_KEYS:
        flag = FLAG_KEYS[name.removeprefix("UN")].lower()
    else:
        return None
    wanted = not name.startswith("UN")
    return lambda c: (flag in (have.lower() for have in c.row.flags)) == wanted


def _text_key(name: str, rest: list[Token], _: list[int]) -> Matcher | None:
    if name not in {"FROM", "TO", "CC", "BCC", "SUBJECT", "HEADER", "BODY", "TEXT"}:
        return None
    field_name = astring(rest.pop(0)).decode("latin-1") if name == "HEADER" else name
    text = astring(rest.pop(0)).decode("utf-8", "replace").lower()
    if name == "BODY":
        return lambda c: text in c.body()
    if name == "TEXT":
        return lambda c: text in "\n".join(f"{k}: {v}" for k, v in c.message.items()).lower() or text in c.body()
    return lambda c: (value := c.header(field_name)) is not None and text in value


def _number_key(name: str, rest: list[Token], _: list[int]) -> Matcher | None:
    if name not in {"LARGER", "SMALLER", "MODSEQ"}:
        return None
    if name == "MODSEQ" and isinstance(rest[0], bytes):
        del rest[:2]  # the entry name and type of RFC 7162 section 3.1.5; ours have one mod-sequence for all
    try:
        limit = int(atom(rest.pop(0)))
    except ValueError:
        raise Bad("A number was expected") from None
    if name == "MODSEQ":
        return lambda c: c.row.modseq >= limit
    return (lambda c: c.row.size > limit) if name == "LARGER" else (lambda c: c.row.size < limit)


def _date_key(name: str, rest: list[Token], _: list[int]) -> Matcher | None:
    kind = name.removeprefix("SENT")
    if kind not in {"BEFORE", "ON", "SINCE"}:
        return None
    day = parse_date(astring(rest.pop(0)).decode("latin-1"))

    def of(candidate: Candidate) -> int:
        return candidate.sent_day() if name != kind else candidate.row.internaldate // DAY * DAY

    match kind:
        case "BEFORE":
            return lambda c: of(c) < day
        case "ON":
            return lambda c: of(c) == day
    return lambda c: of(c) >= day
