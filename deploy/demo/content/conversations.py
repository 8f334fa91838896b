"""Reads `conversations/*.txt` and makes of them what both people have in their mailboxes."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deploy.demo.content.clock import Clock
from deploy.demo.content.compose import Letter, quote, to_html, wrap
from deploy.demo.content.files import make_file
from deploy.demo.content.placing import BY_SHORT_NAME, Placed, received, sent
from deploy.demo.people import AMARA, CHLOE, INGRID, MAREN, NOOR, PRIYA, TOMASZ, Person

FOLDER = Path(__file__).parent / "conversations"
MESSAGE = re.compile(r"@ (?P<who>\w+) (?P<days>\d+) (?P<hour>\d\d:\d\d)(?P<files>.*)")
RECENT_DAYS = 21
# habits: who writes HTML beside plain text, and whose program breaks lines softly
WRITES_HTML = {NOOR, CHLOE, PRIYA, INGRID}
WRITES_FLOWED = {AMARA, MAREN}
PROGRAMS = {
    MAREN: "Mailroom",
    TOMASZ: "Mailroom",
    INGRID: "Desk Mail 16.4",
    NOOR: "Atelier Post 3",
    CHLOE: "Pocket Mail",
}


@dataclass(slots=True)
class Turn:
    """One message of a conversation as written in the file."""

    who: Person
    days: int
    hour: str
    files: tuple[str, ...]
    text: str = ""


@dataclass(slots=True)
class Conversation:
    """A conversation as written in the file; `about` holds its `key: value` lines."""

    subject: str
    about: dict[str, str] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)

    def named(self, key: str) -> set[Person]:
        return {BY_SHORT_NAME[word] for word in self.about.get(key, "").split()}


def file_names(text: str) -> tuple[str, ...]:
    """Names behind plus signs; they may hold spaces."""
    return tuple(name.strip() for name in text.split(" +") if name.strip())


def read_conversations(clock: Clock) -> Iterator[Conversation]:
    """All conversations, file by file; raises ValueError for a line that means nothing."""
    for path in sorted(FOLDER.glob("*.txt")):
        for block in re.split(r"^## ", clock.fill(path.read_text(encoding="utf-8")), flags=re.MULTILINE)[1:]:
            yield _conversation(block)


def _conversation(block: str) -> Conversation:
    subject, *lines = block.split("\n")
    conversation = Conversation(subject.strip())
    for line in lines:
        found = MESSAGE.fullmatch(line)
        if found:
            who = BY_SHORT_NAME[found["who"]]
            conversation.turns.append(Turn(who, int(found["days"]), found["hour"], file_names(found["files"])))
        elif conversation.turns:
            conversation.turns[-1].text += line + "\n"
        elif line.strip():
            key, colon, value = line.partition(": ")
            if not colon:
                raise ValueError(f"not understood: {line}")
            conversation.about[key] = value
    for turn in conversation.turns:
        turn.text = turn.text.strip()
    return conversation


def letters(conversation: Conversation, clock: Clock) -> list[Letter]:
    """The messages in order, each answering the one before it."""
    everybody = list(dict.fromkeys([*(turn.who for turn in conversation.turns), *sorted_people(conversation)]))
    made: list[Letter] = []
    for turn in conversation.turns:
        made.append(_letter(conversation.subject, turn, everybody=everybody, earlier=made, clock=clock))
    return made


def sorted_people(conversation: Conversation) -> list[Person]:
    return sorted(conversation.named("who"), key=lambda person: person.address)


def _letter(subject: str, turn: Turn, *, everybody: list[Person], earlier: list[Letter], clock: Clock) -> Letter:
    others = [person for person in everybody if person != turn.who]
    previous = earlier[-1] if earlier else None
    text, to = turn.text, tuple(others)
    cc: tuple[Person, ...] = ()
    if previous is not None:
        introduction = f"On {previous.when:%a, %d %b %Y at %H:%M}, {previous.sender.name} wrote:"
        text = f"{text}\n\n{introduction}\n{quote(previous.text)}"
        subject = f"Re: {subject}"
        if previous.sender in others:
            to = (previous.sender,)
            cc = tuple(person for person in others if person != previous.sender)
    flowed = turn.who in WRITES_FLOWED
    program = PROGRAMS.get(turn.who)
    return Letter(
        sender=turn.who,
        to=to,
        cc=cc,
        subject=subject,
        when=clock.at(turn.days, turn.hour),
        text=text + "\n" if flowed else wrap(text) + "\n",
        html=to_html(text) if turn.who in WRITES_HTML else "",
        parents=tuple(letter.message_id for letter in earlier),
        files=tuple(make_file(name) for name in turn.files),
        flowed=flowed,
        headers=(("User-Agent", program),) if program else (),
    )


def place_conversations(clock: Clock) -> Iterator[Placed]:
    for conversation in read_conversations(clock):
        made = letters(conversation, clock)
        for owner in (MAREN, TOMASZ):
            if owner in {*conversation.named("who"), *(turn.who for turn in conversation.turns)}:
                yield from _copies(conversation, made, owner)


def _copies(conversation: Conversation, made: list[Letter], owner: Person) -> Iterator[Placed]:
    folder = conversation.about.get("in") or _usual_folder(conversation)
    last = max((number for number, letter in enumerate(made) if letter.sender != owner), default=-1)
    for number, letter in enumerate(made):
        if letter.sender == owner:
            yield sent(letter, owner)
            continue
        answered = number + 1 < len(made) and made[number + 1].sender == owner
        unread = number == last and owner in conversation.named("unread")
        starred = number == last and owner in conversation.named("star")
        marks = (("\\Seen", not unread), ("\\Answered", answered), ("\\Flagged", starred))
        yield received(letter, owner, folder=folder, flags=tuple(flag for flag, holds in marks if holds))


def _usual_folder(conversation: Conversation) -> str:
    """Recent things are in the inbox; of old ones two in three were put away."""
    recent = conversation.turns[-1].days <= RECENT_DAYS
    return "INBOX" if recent or zlib.crc32(conversation.subject.encode()) % 3 == 0 else "Archive"
