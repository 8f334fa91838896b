"""Somebody who would like to be taken for the studio's own people: one letter in the domain is another."""

from collections.abc import Iterator

from deploy.demo.content.clock import Clock
from deploy.demo.content.compose import Letter
from deploy.demo.content.placing import Placed, received
from deploy.demo.people import MAREN, Person

HELPDESK = Person("Harbour Lane Helpdesk", "helpdesk@harbour1ane.example")
_LINK = '<a href="https://harbour1ane.example/keep/8214">https://mail.harbourlane.example/keep</a>'
_WORDS = (
    "Dear Maren,",
    "your mailbox is nearly full. Mail that came in since Friday is held back and will be deleted tonight.",
    "To keep it, sign in here:",
    "Your helpdesk",
)


def place_strangers(clock: Clock) -> Iterator[Placed]:
    letter = Letter(
        sender=HELPDESK,
        to=(MAREN,),
        subject="Your mailbox is nearly full",
        when=clock.at(4, "06:52"),
        text="\n\n".join((*_WORDS[:3], "https://harbour1ane.example/keep/8214", _WORDS[3])) + "\n",
        html="<html><body>"
        + "".join(f"<p>{words}</p>" for words in (*_WORDS[:3], _LINK, _WORDS[3]))
        + "</body></html>",
        headers=(("Reply-To", "mailbox-desk@freepost.example"),),
    )
    yield received(letter, MAREN, folder="INBOX")
