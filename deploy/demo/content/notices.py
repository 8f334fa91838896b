"""Reads `series/notices.txt`, `scripts.txt` and `spam.txt`: letters that nobody answers."""

import re
from collections.abc import Iterator
from pathlib import Path

from deploy.demo.content.clock import Clock
from deploy.demo.content.compose import Letter, wrap
from deploy.demo.content.conversations import file_names
from deploy.demo.content.files import make_file
from deploy.demo.content.placing import BY_SHORT_NAME, RECEIVERS, Placed, received
from deploy.demo.people import Person

FOLDER = Path(__file__).parent / "series"
NOTICE = re.compile(
    r"@ (?P<to>\w+) (?P<days>\d+) (?P<hour>\d\d:\d\d) (?P<unread>\*?)(?P<folder>\w+)(?P<star> !)?"
    r"(?P<files>.*?) \| (?P<subject>.*)"
)
SENDER = re.compile(r"(?P<name>.+) <(?P<address>\S+@\S+)>|(?P<short>\w+) (?P<charset>[\w-]+)")


def place_notices(clock: Clock) -> Iterator[Placed]:
    for name in ("notices.txt", "scripts.txt", "spam.txt"):
        for block in re.split(r"^## ", clock.fill((FOLDER / name).read_text(encoding="utf-8")), flags=re.MULTILINE)[1:]:
            yield from _letters_of(block, clock)


def _letters_of(block: str, clock: Clock) -> Iterator[Placed]:
    heading, _, rest = block.partition("\n")
    found = SENDER.fullmatch(heading.strip())
    if found is None:
        raise ValueError(f"not a sender: {heading}")
    sender = BY_SHORT_NAME[found["short"]] if found["short"] else Person(found["name"], found["address"])
    for piece in re.split(r"^(?=@ )", rest, flags=re.MULTILINE):
        if piece.strip():
            yield from _place(piece, sender, charset=found["charset"] or "utf-8", clock=clock)


def _place(piece: str, sender: Person, *, charset: str, clock: Clock) -> Iterator[Placed]:
    line, _, text = piece.partition("\n")
    found = NOTICE.fullmatch(line.strip())
    if found is None:
        raise ValueError(f"not understood: {line}")
    spam = found["folder"] == "Spam"
    marks = (("\\Seen", not found["unread"]), ("\\Flagged", bool(found["star"])))
    flags = tuple(flag for flag, holds in marks if holds) + (("$Junk",) if spam else ())
    for owner in RECEIVERS[found["to"]]:
        letter = Letter(
            sender=sender,
            to=(owner,),
            subject=found["subject"].replace("{website}", "harbourlane.example"),
            when=clock.at(int(found["days"]), found["hour"]),
            text=wrap(text.strip().replace("{website}", "harbourlane.example")) + "\n",
            files=tuple(make_file(name) for name in file_names(found["files"])),
            charset=charset,
        )
        yield received(letter, owner, folder=found["folder"], flags=flags, passed=not spam)
