"""Designed newsletters as they come: tables, inline style, remote pictures, a tracker, one-click unsubscribe."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.content.clock import Clock
from deploy.demo.content.compose import Letter, digest, wrap
from deploy.demo.content.placing import Placed, received
from deploy.demo.people import MAREN, TOMASZ, Person

ISSUES = Path(__file__).parent / "series" / "issues.txt"
INBOX_DAYS = 15


@dataclass(frozen=True, slots=True)
class Paper:
    """A newsletter: who gets it, how often (days), the number of its newest issue, its colours and typefaces."""

    sender: Person
    readers: tuple[Person, ...]
    every: int
    newest: int
    hour: str
    first_day: int
    ink: str
    sheet: str
    accent: str
    face: str
    folder: str = "Reading"
    unread_first: bool = False

    @property
    def domain(self) -> str:
        return self.sender.address.partition("@")[2]


SERIF, SANS = "Georgia, 'Times New Roman', serif", "Helvetica, Arial, sans-serif"
PAPERS = {
    "slow-harbour": Paper(
        Person("The Slow Harbour", "letters@slow-harbour.example"), (MAREN,), 7, 212, "08:00", 0,
        "22302f", "fbf6ee", "2b565e", SERIF,
    ),
    "ligature": Paper(
        Person("The Ligature", "post@the-ligature.example"), (TOMASZ,), 10, 88, "07:30", 1,
        "1d1d1f", "ffffff", "a33b20", SERIF, unread_first=True,
    ),
    "saltworks": Paper(
        Person("Saltworks", "house@saltworks.example"), (MAREN, TOMASZ), 30, 61, "10:00", 9,
        "23303c", "eef3f4", "4a5578", SANS,
    ),
    "kettle": Paper(
        Person("Kettle & Kern", "shop@kettleandkern.example"), (MAREN,), 24, 17, "06:45", 2,
        "2a2320", "fff9f2", "c0602c", SANS, folder="Trash", unread_first=True,
    ),
    "library": Paper(
        Person("Quay Library", "desk@quaylibrary.example"), (MAREN, TOMASZ), 40, 30, "12:00", 10,
        "202a22", "f4f7f1", "3c6e47", SANS, folder="Archive",
    ),
}  # fmt: skip


def place_newsletters(clock: Clock) -> Iterator[Placed]:
    for block in re.split(r"^## ", ISSUES.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        key, *lines = block.strip().split("\n")
        paper = PAPERS[key]
        for back, line in enumerate(lines):
            title, lead, *items = (piece.strip() for piece in line.split("|"))
            days = paper.first_day + back * paper.every
            for reader in paper.readers:
                letter = _issue(paper, reader, (title, lead, *items), number=paper.newest - back, when=(days, clock))
                flags = () if paper.unread_first and back == 0 else ("\\Seen",)
                yield received(letter, reader, folder="INBOX" if days < INBOX_DAYS else paper.folder, flags=flags)


def _issue(paper: Paper, reader: Person, words: tuple[str, ...], *, number: int, when: tuple[int, Clock]) -> Letter:
    days, clock = when
    token = digest(paper.domain, reader.address, str(number))
    unsubscribe = f"https://{paper.domain}/leave/{token}"
    return Letter(
        sender=paper.sender,
        to=(reader,),
        subject=f"No. {number}: {words[0]}",
        when=clock.at(days, paper.hour),
        text=_plain(paper, words, number=number, unsubscribe=unsubscribe),
        html=_page(paper, words, number=number, token=token),
        headers=(
            ("List-Id", f"{paper.sender.name.replace('&', 'and')} <letters.{paper.domain}>"),
            ("List-Unsubscribe", f"<mailto:leave@{paper.domain}?subject={token}>,\r\n <{unsubscribe}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ("Precedence", "bulk"),
            ("DKIM-Signature", _signature(paper.domain, token)),
        ),
    )


def _signature(domain: str, token: str) -> str:
    """What it claims to cover is read; that it holds is the word of the demo's mail server."""
    covers = "from:to:subject:list-unsubscribe:list-unsubscribe-post"
    return f"v=1; a=rsa-sha256; d={domain}; s=post;\r\n h={covers};\r\n b={token}"


def _plain(paper: Paper, words: tuple[str, ...], *, number: int, unsubscribe: str) -> str:
    title, lead, *items = words
    pairs = "\n\n".join(f"* {head}\n{wrap(text)}" for head, text in zip(items[::2], items[1::2], strict=True))
    heading = f"{paper.sender.name.upper()} · NO. {number}\n\n{title}\n{'=' * len(title)}"
    link = f"https://{paper.domain}/issues/{number}"
    return f"{heading}\n\n{wrap(lead)}\n\nRead on: {link}\n\n{pairs}\n\n-- \nLeave this list: {unsubscribe}\n"


def _page(paper: Paper, words: tuple[str, ...], *, number: int, token: str) -> str:
    title, lead, *items = (html.escape(word) for word in words)
    host, name = paper.domain, html.escape(paper.sender.name)
    rows = "".join(
        f"""<tr><td style="padding:18px 24px;border-top:1px solid #d9d3c7"><table role="presentation" width="100%"><tr>
<td width="64" valign="top"><img src="https://img.{host}/{number}/item-{count}.png" width="64" height="64" alt=""
 style="border-radius:6px;display:block;background:#{paper.accent}"></td>
<td style="padding-left:14px"><h2 style="margin:0;font:bold 17px {paper.face};color:#{paper.ink}">{head}</h2>
<p style="margin:4px 0 0;font:14px/1.5 {paper.face};color:#{paper.ink}">{text}</p></td></tr></table></td></tr>
"""
        for count, (head, text) in enumerate(zip(items[::2], items[1::2], strict=True), 1)
    )
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>@media (max-width:480px) {{ .sheet {{ width:100% !important; }} }}
a:hover {{ text-decoration:underline; }}</style>
</head><body style="margin:0;padding:24px 0;background:#e7e3da">
<div style="display:none;max-height:0;overflow:hidden">{lead}</div>
<table role="presentation" class="sheet" align="center" width="600" cellpadding="0" cellspacing="0"
 style="width:600px;background:#{paper.sheet};border-radius:10px;overflow:hidden">
<tr><td bgcolor="#{paper.accent}"><img src="https://img.{host}/{number}/header.png" width="600" height="220"
 alt="{name}" style="display:block;width:100%;height:auto;color:#ffffff;font:italic 22px {paper.face}"></td></tr>
<tr><td style="padding:24px"><p style="margin:0 0 8px;font:bold 11px {SANS};letter-spacing:.08em;color:#{paper.accent};
text-transform:uppercase">{name} · No. {number}</p>
<h1 style="margin:0 0 12px;font:bold 26px/1.2 {paper.face};color:#{paper.ink}">{title}</h1>
<p style="margin:0 0 18px;font:16px/1.6 {paper.face};color:#{paper.ink}">{lead}</p>
<a href="https://{host}/issues/{number}?from=mail" style="display:inline-block;padding:11px 18px;border-radius:6px;
background:#{paper.accent};color:#ffffff;font:bold 14px {SANS};text-decoration:none">Read on</a></td></tr>
{rows}<tr><td style="padding:20px 24px;font:12px/1.5 {SANS};color:#6b6f6c;border-top:1px solid #d9d3c7">
You get this letter because you asked for it. <a href="https://{host}/leave/{token}" style="color:#6b6f6c">Leave</a> ·
<a href="https://{host}/issues/{number}" style="color:#6b6f6c">In the browser</a>
<img src="https://t.{host}/open/{token}.gif" width="1" height="1" alt="" border="0"></td></tr>
</table></body></html>
"""
