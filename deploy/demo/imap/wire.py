"""Reading IMAP commands: literals, tokens, sequence sets, dates, modified UTF-7 (RFC 3501 sections 4, 5.1.3, 9)."""

import asyncio
import re
from base64 import b64decode, b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

LITERAL = re.compile(rb"\{(\d{1,10})(\+?)\}\r?\n\Z")
TOKEN = re.compile(
    rb"""\ *(?:
    (?P<open>\() | (?P<close>\))
    | "(?P<quoted>(?:[^"\\]|\\.)*)"
    | \{\d+\+?\}\r?\n(?P<literal>)
    | (?P<atom>(?:[^\s()"\[\]{]|\[[^\]]*\]|\])+)
    )""",
    re.VERBOSE,
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MAX_LITERAL = 40_000_000
MAX_COMMAND_LINE = 65_536

Token = str | bytes | list["Token"]  # an atom is str; quoted strings and literals are bytes


class Bad(Exception):
    """The command makes no sense: answered with BAD and this sentence."""


class No(Exception):
    """The command cannot be done: answered with NO and this sentence."""


class TooLong(Exception):
    """More than we are willing to hold; the connection ends."""


async def read_command(reader: asyncio.StreamReader, invite: Callable[[], None]) -> list[bytes]:
    """One command as pieces: line, literal, line, …; calls `invite` before each synchronising literal.

    Raises asyncio.IncompleteReadError at the end of the stream and TooLong.
    """
    pieces = []
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise TooLong from None
        if len(line) > MAX_COMMAND_LINE:
            raise TooLong
        pieces.append(line)
        literal = LITERAL.search(line)
        if literal is None:
            return pieces
        size = int(literal[1])
        if size > MAX_LITERAL:
            raise TooLong
        if not literal[2]:
            invite()
        pieces.append(await reader.readexactly(size))


def tokenize(pieces: Sequence[bytes]) -> list[Token]:
    """The words of a command; raises Bad."""
    stack: list[list[Token]] = [[]]
    for number in range(0, len(pieces), 2):
        line, at = pieces[number], 0
        while line[at:].strip():
            found = TOKEN.match(line, at)
            if found is None:
                raise Bad("I cannot read that command")
            at = found.end()
            if found["open"]:
                stack.append([])
            elif found["close"]:
                if len(stack) == 1:
                    raise Bad("A parenthesis closes that was never opened")
                done = stack.pop()
                stack[-1].append(done)
            elif found["literal"] is not None:
                stack[-1].append(pieces[number + 1])
            elif found["quoted"] is not None:
                stack[-1].append(re.sub(rb"\\(.)", rb"\1", found["quoted"]))
            else:
                stack[-1].append(found["atom"].decode("latin-1"))
    if len(stack) != 1:
        raise Bad("A parenthesis is missing")
    return stack[0]


def atom(token: Token) -> str:
    if not isinstance(token, str):
        raise Bad("A word was expected")
    return token


def astring(token: Token) -> bytes:
    if isinstance(token, list):
        raise Bad("A string was expected")
    return token.encode("latin-1") if isinstance(token, str) else token


def words(token: Token) -> list[Token]:
    if not isinstance(token, list):
        raise Bad("A list in parentheses was expected")
    return token


def mailbox_name(token: Token) -> str:
    return decode_utf7(astring(token))


def decode_utf7(name: bytes) -> str:
    """Modified UTF-7 to text; what is not valid is taken as UTF-8 or Latin-1 rather than refused."""

    def shifted(found: re.Match[str]) -> str:
        if not found[1]:
            return "&"
        packed = found[1].replace(",", "/")
        return b64decode(packed + "=" * (-len(packed) % 4)).decode("utf-16-be")

    try:
        return re.sub(r"&([A-Za-z0-9+,]*)-", shifted, name.decode("ascii"))
    except ValueError:
        return name.decode("utf-8", "replace")


def encode_utf7(name: str) -> bytes:
    def shift(found: re.Match[str]) -> str:
        packed = b64encode(found[0].encode("utf-16-be")).decode().rstrip("=")
        return "&" + packed.replace("/", ",") + "-"

    return re.sub(r"[^\x20-\x7e]+", shift, name.replace("&", "&-")).encode("ascii")


def choose(spec: str, numbers: Sequence[int]) -> list[int]:
    """Those of the sorted `numbers` that a sequence set names; '*' is the last of them (RFC 3501 section 9)."""
    last = numbers[-1] if numbers else 0
    chosen: set[int] = set()
    for piece in spec.split(","):
        found = re.fullmatch(r"(\d+|\*)(?::(\d+|\*))?", piece)
        if found is None:
            raise Bad("That is not a sequence set")
        ends = sorted(last if end == "*" else int(end) for end in (found[1], found[2] or found[1]))
        chosen.update(numbers[bisect_left(numbers, ends[0]) : bisect_right(numbers, ends[1])])
    return sorted(chosen)


def compact(numbers: Sequence[int]) -> str:
    """Numbers in the given order as a sequence set: 1:3,7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in runs)


def parse_date(text: str) -> int:
    """`1-Feb-2026`, quoted or not, to the seconds of its midnight; raises Bad."""
    found = re.fullmatch(r"(\d{1,2})-([A-Za-z]{3})-(\d{4})", text.strip())
    if found is None or found[2].lower() not in MONTHS:
        raise Bad("That is not a date")
    try:
        return int(datetime(int(found[3]), MONTHS.index(found[2].lower()) + 1, int(found[1]), tzinfo=UTC).timestamp())
    except ValueError:
        raise Bad("There is no such day") from None


def parse_date_time(text: str) -> int:
    """` 1-Feb-2026 14:05:09 +0100` to seconds since 1970; raises Bad."""
    day, _, rest = text.strip().partition(" ")
    found = re.fullmatch(r"(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", rest)
    if found is None:
        raise Bad("That is not a date and time")
    hours, minutes, seconds = int(found[1]), int(found[2]), int(found[3])
    offset = (int(found[5]) * 60 + int(found[6])) * 60 * (1 if found[4] == "+" else -1)
    return parse_date(day) + hours * 3600 + minutes * 60 + seconds - offset


def format_date_time(seconds: int) -> bytes:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.day:2d}-{MONTHS[moment.month - 1].title()}-{moment:%Y %H:%M:%S} +0000".encode()
