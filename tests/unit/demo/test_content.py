"""The mail of the demo: whole, readable by others, and the same every time."""

import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from deploy.demo.content.clock import Clock
from deploy.demo.content.compose import File, Letter, flow, quote, render
from deploy.demo.content.conversations import letters, read_conversations
from deploy.demo.content.files import pdf
from deploy.demo.content.pictures import picture
from deploy.demo.content.placing import Placed
from deploy.demo.people import DMITRI, MAREN, TOMASZ
from deploy.demo.seed import all_mail, seed
from deploy.demo.store import Store

NOW = datetime(2026, 11, 23, 13, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def mail() -> list[tuple[Placed, EmailMessage]]:
    found = []
    for placed in all_mail(NOW):
        parsed = message_from_bytes(placed.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        found.append((placed, parsed))
    return found


def leaves(message: EmailMessage) -> Iterator[EmailMessage]:
    for part in message.walk():
        assert isinstance(part, EmailMessage)
        if not part.is_multipart():
            yield part


def test_every_message_reads_without_defects(mail: list[tuple[Placed, EmailMessage]]) -> None:
    for placed, message in mail:
        assert not [part.defects for part in message.walk() if part.defects]
        assert not [value for value in message.values() if getattr(value, "defects", ())]
        assert b"\n" not in placed.raw.replace(b"\r\n", b"")
        for part in leaves(message):
            content = part.get_content()
            assert "\ufffd" not in content if isinstance(content, str) else content


def test_nothing_lies_in_the_future_and_something_is_two_years_old(mail: list[tuple[Placed, EmailMessage]]) -> None:
    dates = [placed.when for placed, _ in mail]
    assert NOW - timedelta(hours=2) < max(dates) < NOW
    assert min(dates) < NOW - timedelta(days=650)
    assert all(parsedate_to_datetime(str(message["Date"])) == placed.when for placed, message in mail)


def test_many_scripts_are_written_in_charsets_of_their_own(mail: list[tuple[Placed, EmailMessage]]) -> None:
    charsets = {part.get_content_charset() for _, message in mail for part in message.walk()}
    assert charsets >= {"iso-2022-jp", "koi8-r", "gb18030", "iso-8859-1", "iso-8859-2", "iso-8859-7", "utf-8"}


def test_both_have_the_same_message_of_a_conversation(mail: list[tuple[Placed, EmailMessage]]) -> None:
    bodies: dict[str, set[str]] = {}
    for _, message in mail:
        if str(message["Subject"]).endswith("Harbour signage: final proofs"):
            body = message.get_body(("plain",))
            bodies.setdefault(str(message["Message-ID"]), set()).add(body.get_content() if body else "")
    assert len(bodies) == 4
    assert all(len(copies) == 1 for copies in bodies.values())


def test_one_conversation_has_forty_messages_that_refer_to_each_other() -> None:
    clock = Clock(NOW)
    longest = max(read_conversations(clock), key=lambda conversation: len(conversation.turns))
    made = letters(longest, clock)
    assert len(made) == 40
    assert made[-1].parents == tuple(letter.message_id for letter in made[:-1])
    assert [letter.when for letter in made] == sorted(letter.when for letter in made)


def test_everything_named_by_cid_is_there(mail: list[tuple[Placed, EmailMessage]]) -> None:
    pages = 0
    for _, message in mail:
        page = message.get_body(("html",))
        if page is not None and "cid:" in page.get_content():
            ids = {str(part["Content-ID"]).strip("<>") for part in message.walk() if part["Content-ID"]}
            assert ids
            assert all(f"cid:{one}" in page.get_content() for one in ids)
            pages += 1
    assert pages == 2


def test_there_are_an_invitation_and_a_bounce(mail: list[tuple[Placed, EmailMessage]]) -> None:
    kinds = Counter(part.get_content_type() for _, message in mail for part in message.walk())
    assert kinds["text/calendar"] == 2
    assert kinds["message/delivery-status"] == 1


@pytest.mark.parametrize("hour", [0, 6, 13, 23])
def test_the_seed_fills_every_mailbox_at_any_hour(tmp_path: Path, hour: int) -> None:
    store = Store(tmp_path / "mail.sqlite3")
    seed(store, NOW.replace(hour=hour))
    for person, least in ((MAREN, 350), (TOMASZ, 350)):
        account = store.find_account(person.address)
        assert account is not None
        sizes = {box.name: len(store.rows(box.id)) for box in store.mailboxes(account)}
        assert sum(sizes.values()) >= least
        assert [name for name, size in sizes.items() if not size] == ["Clients"]
        inbox = store.rows(store.mailboxes(account)[0].id)
        assert sum("\\Seen" not in row.flags for row in inbox) == 9
    store.close()


def test_the_same_now_gives_the_same_mail() -> None:
    first, second = (zlib.crc32(b"".join(placed.raw for placed in all_mail(NOW))) for _ in range(2))
    assert first == second


def test_a_letter_in_cyrillic_with_an_inline_picture() -> None:
    inside = File(name="б.png", media="image/png", content=b"\x89PNG", content_id="b@x")
    raw = render(
        Letter(sender=DMITRI, to=(MAREN,), subject="Ж" * 60, when=NOW, text="ж\n", html="<img src=cid:b@x>",
               charset="koi8-r", files=(inside,))
    )  # fmt: skip
    message = message_from_bytes(raw, policy=policy.default)
    assert message["Subject"] == "Ж" * 60
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png",
    ]  # fmt: skip
    assert max(map(len, raw.split(b"\r\n"))) <= 90


def test_quotes_deepen_and_end() -> None:
    once = quote("said\n")
    assert once == "> said"
    assert quote(f"answer\n{once}") == "> answer\n>> said"
    assert quote(">>> too deep\nhere") == "> here"


def test_flowed_lines_break_softly() -> None:
    lines = flow("word " * 40).split("\n")
    assert all(line.endswith(" ") for line in lines[:-1])
    assert not lines[-1].endswith(" ")


def test_pictures_and_documents_are_what_they_say() -> None:
    drawn = picture("quay.png")
    assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
    start = drawn.index(b"IDAT")
    size = int.from_bytes(drawn[start - 4 : start], "big")
    assert len(zlib.decompress(drawn[start + 4 : start + 4 + size])) == 320 * 481
    page = pdf(("Title (one)",))
    table = int(page.rsplit(b"startxref\n", 1)[1].split()[0])
    assert page[table : table + 4] == b"xref"
