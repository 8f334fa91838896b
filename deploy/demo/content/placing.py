"""One message in one mailbox of one person, before it is stored."""

from dataclasses import dataclass
from datetime import datetime

from deploy.demo.content.compose import Letter, render
from deploy.demo.people import CAST, DMITRI, LI, MAREN, MAREN_OLD, TOMASZ, Person
from deploy.demo.smtp import delivery_trace

RECEIVERS = {"maren": (MAREN,), "tomasz": (TOMASZ,), "both": (MAREN, TOMASZ), "old": (MAREN_OLD,)}
# the short names that the texts use: the part of the address before the @, and two more
BY_SHORT_NAME = {person.address.partition("@")[0]: person for person in (*CAST, MAREN, TOMASZ)} | {
    "dmitri": DMITRI,
    "li": LI,
}


@dataclass(frozen=True, slots=True)
class Placed:
    """A message as `owner` has it in `folder`; the folder "own" is the one with the owner's special name."""

    owner: Person
    folder: str
    raw: bytes
    when: datetime
    flags: tuple[str, ...]


def received(
    letter: Letter, owner: Person, *, folder: str, flags: tuple[str, ...] = ("\\Seen",), passed: bool = True
) -> Placed:
    """A letter as it arrived, with the fields that delivery adds; `passed` says whether its sender was proven."""
    trace = delivery_trace(
        sender=letter.sender.address, recipient=owner.address, when=int(letter.when.timestamp()), passed=passed
    )
    return Placed(owner, folder, trace + render(letter), letter.when, flags)


def sent(letter: Letter, owner: Person, *, folder: str = "Sent", flags: tuple[str, ...] = ("\\Seen",)) -> Placed:
    """The sender's own copy."""
    return Placed(owner, folder, render(letter), letter.when, flags)
