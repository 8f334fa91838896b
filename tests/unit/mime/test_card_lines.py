"""Cards of other programs, changed in place: what is not modelled stays as it was, fold by fold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.card_lines import FIELDS, Values, edited, is_group, read_values, uid_of
from webmail.mime.card_lines import with_values as but

PHOTO = "PHOTO;ENCODING=b;TYPE=JPEG:" + "\r\n ".join("/9j/4AAQSkZJRgABAQAAAQABAAD" for _ in range(40))
CARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:-//Apple Inc.//iOS 18//EN\r\nUID:a-1\r\nFN:Dr. Amara Okafor\r\n"
    "N:Okafor;Amara;Ngozi;Dr.;\r\nORG:Pier 4;Print\r\nTITLE:Head of print\r\n"
    "item1.EMAIL;TYPE=INTERNET,WORK,pref:amara@pier4.example\r\nitem1.X-ABLabel:Press\r\n"
    "EMAIL;TYPE=HOME:a@home.example\r\nEMAIL;TYPE=OTHER:not an address\r\nTEL;TYPE=CELL:+47 22 00 00\r\n"
    "ADR;TYPE=WORK:;;Quay 4;Oslo;;0150;Norway\r\nNOTE:Ink\\, and\\npaper\r\n"
    f"{PHOTO}\r\nX-PHONETIC-LAST-NAME:oh-KAH-for\r\nBDAY:1980-02-29\r\nREV:2026-01-01T00:00:00Z\r\nEND:VCARD\r\n"
)
SAID = Values(
    "Dr. Amara Okafor",
    "Pier 4, Print",
    "Head of print",
    ("amara@pier4.example", "a@home.example"),
    ("+47 22 00 00",),
    ("Quay 4, Oslo, 0150, Norway",),
    "Ink, and\npaper",
)


def others(card: str, *names: str) -> list[str]:
    """Its lines but those with these names."""
    unfolded = card.replace("\r\n ", "").split("\r\n")
    return [line for line in unfolded if line.partition(":")[0].partition(";")[0].rpartition(".")[2] not in names]


def test_a_card_is_read() -> None:
    assert read_values(CARD) == SAID
    assert uid_of(CARD) == "a-1"


def test_without_a_change_every_octet_stays() -> None:
    assert edited(CARD, SAID) == CARD


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"name": "Amara Li"}, ("FN", "N")),
        ({"name": ""}, ("FN", "N")),
        ({"organisation": "Pier 5, Print"}, ("ORG",)),
        ({"organisation": ""}, ("ORG",)),
        ({"role": "Director; all"}, ("TITLE",)),
        ({"mails": ("new@x.example", "a@home.example")}, ("EMAIL",)),
        ({"mails": ("a@home.example", "amara@pier4.example")}, ("EMAIL",)),
        ({"mails": ("amara@pier4.example", "a@home.example", "third@x.example")}, ("EMAIL",)),
        ({"mails": ()}, ("EMAIL", "X-ABLabel")),
        ({"numbers": ("+47 1", "+47 2")}, ("TEL",)),
        ({"addresses": ("Quay 5, Oslo, 0150, Norway",)}, ("ADR",)),
        ({"addresses": ("Somewhere else",)}, ("ADR",)),
        ({"notes": "Only; \\ink"}, ("NOTE",)),
    ],
)
def test_a_change_is_written_and_everything_else_stays(change: dict[str, object], names: tuple[str, ...]) -> None:
    wanted = but(SAID, **change)
    card = edited(CARD, wanted)
    if wanted.name:
        assert read_values(card) == wanted
    assert others(card, *names) == others(CARD, *names)
    assert PHOTO in card
    assert all(len(line.encode()) <= 76 for line in card.split("\r\n"))


def test_a_changed_line_keeps_what_else_it_says() -> None:
    card = edited(CARD, but(SAID, mails=("new@x.example", "a@home.example"), addresses=("Quay 5, Oslo, 0150, Norway",)))
    assert "item1.EMAIL;TYPE=INTERNET,WORK,pref:new@x.example\r\nitem1.X-ABLabel:Press\r\n" in card
    assert "EMAIL;TYPE=OTHER:not an address\r\n" in card
    assert "ADR;TYPE=WORK:;;Quay 5;Oslo;;0150;Norway\r\n" in card


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Dr. Amara Li", "N:Li;Amara;Ngozi;Dr.;"),
        ("Bo Li", "N:Li;Bo;;;"),
        ("Cher", "N:Cher;;;;"),
    ],
)
def test_a_new_name_is_parted_as_the_old_one_was(name: str, parts: str) -> None:
    assert f"FN:{name}\r\n{parts}\r\n" in edited(CARD, but(SAID, name=name))


def test_notes_longer_than_we_keep_lose_no_end() -> None:
    card = CARD.replace("NOTE:Ink\\, and\\npaper", "NOTE:" + "x" * 10_000 + "the end")
    before = read_values(card)
    assert len(before.notes) == 10_000
    changed = edited(card, but(before, notes="short"))
    assert "NOTE:shortthe end\r\n" in changed


def test_schemes_and_versions_are_kept() -> None:
    card = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:A\r\nTEL;VALUE=uri;TYPE=cell:tel:+47-22\r\nEND:VCARD\r\n"
    said = read_values(card)
    assert said.numbers == ("+47-22",)
    changed = edited(card, but(said, numbers=("+47 33",), mails=("a@x.example",)))
    assert "TEL;VALUE=uri;TYPE=cell:tel:+47-33\r\n" in changed
    assert "EMAIL:a@x.example\r\nEND" in changed


def test_quoted_printable_of_old_programs_becomes_plain() -> None:
    card = (
        "BEGIN:VCARD\r\nVERSION:2.1\r\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BC=\r\nrgen\r\n"
        "TEL;CELL:1\r\nEND:VCARD\r\n"
    )
    said = read_values(card)
    assert said.name == "Jürgen"
    changed = edited(card, but(said, name="Jürgen B"))
    assert "FN:Jürgen B\r\n" in changed
    assert "TEL;CELL:1\r\n" in changed


@pytest.mark.parametrize("line", ["KIND:group", "X-ADDRESSBOOKSERVER-KIND:group"])
def test_cards_of_several_people_are_told(line: str) -> None:
    assert is_group(CARD.replace("UID:", f"{line}\r\nUID:"))
    assert not is_group(CARD)


LINE = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=60)


@given(
    st.lists(st.sampled_from([*CARD.split("\r\n"), "", " ", "=", ":", ";", "FN", "N:", "EMAIL:", "ADR:\\"]) | LINE),
    LINE,
)
def test_any_text_can_be_read_and_edited(lines: list[str], name: str) -> None:
    card = "\r\n".join(lines)
    said = read_values(card)
    changed = edited(card, but(said, name=" ".join(name.split())[:100], notes="n", mails=("a@x.example",)))
    after = read_values(changed)
    assert after.mails == ("a@x.example",)
    assert [
        name
        for name in FIELDS
        if name in ("numbers", "addresses", "role") and getattr(after, name) != getattr(said, name)
    ] == []


def test_what_is_said_twice_goes_with_the_first() -> None:
    card = CARD.replace("END:VCARD", "EMAIL;TYPE=HOME:amara@pier4.example\r\nEND:VCARD")
    assert read_values(card) == SAID
    assert read_values(edited(card, but(SAID, mails=("a@home.example",)))).mails == ("a@home.example",)


def test_a_fold_after_an_empty_line_becomes_no_part_of_another() -> None:
    card = "BEGIN:VCARD\r\nFN:A\r\nTITLE:Head\r\n\r\n of state\r\nEND:VCARD\r\n"
    assert edited(card, but(read_values(card), name="B")) == card.replace("FN:A", "FN:B").replace(
        "END", "N:B;;;;\r\nEND"
    )
