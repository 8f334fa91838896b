"""winmail.dat: its files, its text, and what hostile ones cost."""

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.packing import attached, binary, compressed, message_properties, number, tnef, words
from webmail.mime.tnef import Tnef, open_tnef

HTML = "<html><p>Gr\u00fc\u00dfe</p></html>"


def opened(data: bytes) -> Tnef:
    found = open_tnef(data)
    assert found is not None
    return found


def test_files_have_their_long_names_types_and_content() -> None:
    long = attached(words(0x3707, "../Über den Plan.pdf"), words(0x370E, "application/pdf"), binary(0x3701, b"%PDF"))
    short = attached(name=b"PLAN.TXT", data=b"old style")
    found = opened(tnef(*long, *short))
    assert [(file.filename, file.media_type, file.data) for file in found.files] == [
        ("Über den Plan.pdf", "application/pdf", b"%PDF"),
        ("PLAN.TXT", "text/plain", b"old style"),
    ]


def test_html_is_preferred_and_read_in_its_own_code_page() -> None:
    html = number(0x3FDE, 1252), binary(0x1013, HTML.encode("cp1252"))
    rtf = binary(0x1009, compressed(b"{\\rtf1 rich}"))
    found = opened(tnef(message_properties(words(0x1000, "plain"), rtf, *html)))
    assert (found.html, found.text) == (HTML, "plain")


def test_rich_text_is_the_body_when_there_is_no_other() -> None:
    found = opened(tnef(message_properties(binary(0x1009, compressed(b"{\\rtf1\\ansi Hello\\par there}")))))
    assert (found.html, found.text) == ("", "Hello\nthere")


def test_a_picture_of_the_text_keeps_its_id() -> None:
    picture = attached(words(0x3707, "a.png"), words(0x3712, "<a@x>"), binary(0x3701, b"PNG"))
    assert opened(tnef(*picture)).files[0].content_id == "a@x"


def test_a_message_inside_gives_its_text_and_files_once() -> None:
    innermost = tnef(*attached(words(0x3707, "deepest.txt"), binary(0x3701, b"3")))
    embed = bytes.fromhex("0703020000000000c000000000000046")
    inner = tnef(
        message_properties(words(0x1000, "inner words")),
        *attached(words(0x3707, "inner.txt"), binary(0x3701, b"2")),
        *attached(words(0x3001, "Third level"), binary(0x3701, embed + innermost, 0x0D)),
    )
    found = opened(tnef(*attached(words(0x3001, "Second level"), binary(0x3701, embed + inner, 0x0D))))
    assert [(file.filename, file.data[:11]) for file in found.files] == [
        ("inner.txt", b"2"),
        ("Third level", innermost[:11]),
        ("Second level.txt", b"inner words"),
    ]


def test_nothing_that_is_opened_holds_another_package() -> None:
    nested = attached(words(0x3707, "winmail.dat"), words(0x370E, "application/ms-tnef"), binary(0x3701, tnef()))
    assert opened(tnef(*nested)).files[0].media_type == "application/octet-stream"


def test_what_is_cut_gives_what_came_before() -> None:
    whole = tnef(*attached(name=b"A.TXT", data=b"a" * 100), *attached(name=b"B.TXT", data=b"b" * 100))
    for end in range(6, len(whole)):
        names = [file.filename for file in opened(whole[:end]).files]
        assert len(names) <= 2
        assert all(full.startswith(name) for name, full in zip(names, ("A.TXT", "B.TXT"), strict=False))


@pytest.mark.parametrize("count", [1, 2**31, 2**32 - 1])
def test_counts_that_lie_end_the_reading(count: int) -> None:
    lying = struct.pack("<I", count) + struct.pack("<HHI", 0x1102, 0x3701, count)
    assert opened(tnef((0x9002, 2, b""), (0x9005, 2, lying))).files == []


def test_more_files_than_anybody_sends_are_left_out() -> None:
    one = attached(name=b"A", data=b"a")
    assert len(opened(tnef(*one * 2_000)).files) == 1_000


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_whatever_it_is_it_is_read(data: bytes) -> None:
    open_tnef(data)
    open_tnef(b"\x78\x9f\x3e\x22\0\0" + data)
    opened(tnef((0x9002, 2, b""), (0x9005, 2, data), (0x9003, 1, data)))


CORPUS = Path(os.environ.get("MAILROOM_CORPUS", "")) / "tnef"
_SAID = frozenset({"body.rtf", "body.html", ""})


@pytest.mark.skipif(not os.environ.get("MAILROOM_CORPUS"), reason="MAILROOM_CORPUS names no folder of public samples")
def test_the_public_samples_give_what_is_listed_beside_them() -> None:
    seen = 0
    for package in sorted(CORPUS.glob("*.tnef")):
        found = opened(package.read_bytes())
        listed = package.with_suffix(".list")
        if not listed.exists():
            continue
        wanted = sorted(set(listed.read_text().splitlines()) - _SAID - {"Untitled Attachment"})
        names = sorted(file.filename for file in found.files)
        assert [name for name in wanted if name not in names] == [], package.name
        assert bool(found.html or found.text) >= ("body." in listed.read_text()), package.name
        for file in found.files:
            beside = package.with_suffix("") / file.filename
            if beside.exists():  # the samples lost their CRs on the way
                assert file.data.replace(b"\r\n", b"\n") == beside.read_bytes().replace(b"\r\n", b"\n"), beside
                seen += 1
    assert seen > 15
