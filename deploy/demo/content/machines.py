"""What machines write: the build server's reports and the weekly numbers of the website."""

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from deploy.demo.content.clock import Clock
from deploy.demo.content.compose import Letter
from deploy.demo.content.placing import Placed, received
from deploy.demo.people import MAREN, TOMASZ, Person

FOLDER = Path(__file__).parent / "series"
FORGE = Person("Forge", "builds@forge.example")
COUNTER = Person("Quay Counter", "weekly@quaycounter.example")
NEWEST_BUILD, NEWEST_REVIEW = 1184, 412
DAYS_BETWEEN = 3
THREAD_LENGTH = 12


def place_builds(clock: Clock) -> Iterator[Placed]:
    """For each change a review, a build and, when that passed, a release; Maren only has the website's."""
    lines = (FOLDER / "builds.txt").read_text(encoding="utf-8").strip().split("\n")
    for back, line in enumerate(lines):
        repository, person, change, result = (piece.strip() for piece in line.split("|"))
        days = 1 + back * DAYS_BETWEEN
        review = NEWEST_REVIEW - back
        for owner in (MAREN, TOMASZ) if repository == "quay-site" else (TOMASZ,):
            made = _build(repository, person, change, number=NEWEST_BUILD - back * 2, passed=result == "+")
            letters = [(made, "14:20", f"{repository}.{back // THREAD_LENGTH}")]
            if owner.name != person:
                letters.append((_review(repository, person, change, number=review), "11:05", f"review.{review}"))
            if result == "+" and owner == TOMASZ:
                letters.append((_release(repository, change, number=days), "17:40", f"release.{repository}.{back}"))
            for (subject, text), hour, root in letters:
                yield _report(owner, subject, text, root=root, when=(days, hour, clock))


def _report(owner: Person, subject: str, text: str, *, root: str, when: tuple[int, str, Clock]) -> Placed:
    days, hour, clock = when
    letter = Letter(
        sender=FORGE,
        to=(owner,),
        subject=subject,
        when=clock.at(days, hour),
        text=text,
        parents=(f"<{root}@forge.example>",),
        headers=(("Auto-Submitted", "auto-generated"), ("List-Id", "<builds.forge.example>")),
    )
    fresh = days < DAYS_BETWEEN and owner == TOMASZ and "passed" in subject
    folder = "INBOX" if days < 40 else "Archive"
    return received(letter, owner, folder=folder, flags=() if fresh else ("\\Seen",))


def _build(repository: str, person: str, change: str, *, number: int, passed: bool) -> tuple[str, str]:
    checks = random.Random(number).randint(240, 330)  # noqa: S311 - a made-up count
    if passed:
        verdict = f"All {checks} checks passed in {checks // 7} seconds."
    else:
        verdict = (
            f"2 of {checks} checks failed:\n\n"
            "  - pages/print: the last line falls off the paper\n  - words/spelling: “recieve”"
        )
    word = "passed" if passed else "failed"
    text = f"{verdict}\n\n  {change}\n  by {person}\n\nhttps://forge.example/{repository}/builds/{number}\n"
    return f"[{repository}] Build {number} {word} on main", text


def _review(repository: str, person: str, change: str, *, number: int) -> tuple[str, str]:
    chance = random.Random(number)  # noqa: S311 - a made-up diff
    plus, minus = chance.randint(3, 140), chance.randint(1, 90)
    plea = chance.choice(
        ("It is smaller than it looks.", "Please look at the second file first.", "I am not proud of line 40.",
         "The tests explain it better than I can.", "It removes more than it adds, so it must be good.")
    )  # fmt: skip
    text = f"{person} asks you to look at:\n\n  {change}  (+{plus} −{minus})\n\n“{plea}”\n\n"
    return f"[{repository}] {change} (#{number})", text + f"https://forge.example/{repository}/reviews/{number}\n"


def _release(repository: str, change: str, *, number: int) -> tuple[str, str]:
    text = f"{repository} is live with:\n\n  * {change}\n\nThe release before it stays within reach for a week.\n"
    return f"[{repository}] Released: version {4 - number // 40}.{80 - number % 80}", text


def place_weekly_numbers(clock: Clock) -> Iterator[Placed]:
    """The website's week, one letter each Monday or so, as a small table."""
    searches = (FOLDER / "counter.txt").read_text(encoding="utf-8").strip().split("\n")
    for back, search in enumerate(searches):
        for owner in (MAREN, TOMASZ):
            letter = _week(owner, search, back=back, clock=clock)
            folder = "INBOX" if back < 3 else "Archive"
            yield received(letter, owner, folder=folder)


def _week(owner: Person, search: str, *, back: int, clock: Clock) -> Letter:
    chance = random.Random(back)  # noqa: S311 - made-up numbers
    when = clock.at(4 + back * 7, "06:00")
    first = when - timedelta(days=7)
    pages = ("Start", "Timetable", "Benches", "Low Water", "How to find us")
    counts = sorted((chance.randint(90, 2400) for _ in pages), reverse=True)
    rows = list(zip(pages, counts, strict=True))
    plain = "\n".join(f"  {page:<16}{count:>6}" for page, count in rows)
    cells = "".join(
        f'<tr><td style="padding:4px 12px 4px 0">{page}</td><td align="right">{count:,}</td><td><div style="width:'
        f'{count // 12}px;height:10px;background:#2b7a86;border-radius:3px"></div></td></tr>'
        for page, count in rows
    )
    span = f"{first:%d %b} to {when:%d %b}"
    odd = f"The oddest search that ended with you: “{search}”."
    return Letter(
        sender=COUNTER,
        to=(owner,),
        subject=f"Your week: {sum(counts):,} visits, {span}",
        when=when,
        text=f"Visits from {span}\n\n{plain}\n\n{odd}\n\n-- \nQuay Counter counts visits, not people.\n",
        html=f'<html><body style="font:14px sans-serif"><h3>Visits from {span}</h3><table>{cells}</table><p>{odd}</p>'
        '<p style="color:#777">Quay Counter counts visits, not people.</p></body></html>\n',
        headers=(("List-Unsubscribe", "<https://quaycounter.example/stop>"), ("Auto-Submitted", "auto-generated")),
    )
