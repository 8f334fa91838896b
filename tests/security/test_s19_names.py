"""S19: names that strangers gave to files do no harm: in headers, in archives, on disk."""

import io
import re
import time
import unicodedata
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from tests import factories
from webmail import storage
from webmail.mime.filenames import safe_filename, unique_names

from .ground import World

NAMES = {
    "up and away": "../../etc/passwd",
    "from the root": "/etc/passwd",
    "by a drive": "C:\\Windows\\win.ini",
    "a header": "a\r\nSet-Cookie: x=1",
    "a quote": 'a";filename="b.exe',
    "nothing": "a\0b.txt",
    "right to left": "exe.\u202egpj.exe",
    "zero width": "a\u200b\u2066b.pdf",
    "without end": "x" * 5_000 + ".pdf",
    "wide letters": "\U0001f600" * 300 + ".pdf",
    "a device": "CON",
    "a device with an end": "nul.txt",
    "emoji": "\U0001f4ce plan.pdf",
    "dots": "..",
    "a dot": ".",
    "blanks": "  ",
    "empty": "",
    "the same": "plan.pdf",
    "the same again": "PLAN.pdf",
    "the same in pieces": "pla\u0301n.pdf",
    "the same in one": "pl\u00e1n.pdf",
    "a surrogate": "a\ud800b.txt",
}


BIDI = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff"
PATTERN = re.compile(r"attachment; filename=\"[\w .,()+=@~-]+\"(; filename\*=UTF-8''[\w%.~!#$&+^`|()'-]+)?")


def parts(of: World) -> list[dict[str, object]]:
    digest = storage.put(of.account.pk, b"data")
    common = {"type": "application/pdf", "charset": "", "encoding": "", "size": 4, "disposition": "", "cid": ""}
    stored = {name: value.encode("utf-8", "replace").decode() for name, value in NAMES.items()}
    named = [{"path": str(n), "filename": name} for n, name in enumerate(stored.values(), 2)]
    nul = [row | {"filename": str(row["filename"]).replace("\0", "\ufffd")} for row in named]  # as Postgres keeps it
    return [common | row | {"digest": digest, "role": "attachment"} for row in nul]


def harmless(name: str) -> bool:
    controls = any(unicodedata.category(char) in ("Cc", "Cs") or char in BIDI for char in name)
    return bool(name) and not controls and not re.search(r'[/\\:<>"|?*]', name) and len(name) <= 150 and name[0] != "."


def test_s19_headers_name_one_harmless_file(alice: World) -> None:
    listed = parts(alice)
    message = factories.message(alice.inbox, text="x", parts=listed).message_id
    for row in listed:
        response = alice.client.get(reverse("mail:attachment", args=[message, row["path"]]))
        said = response.headers["Content-Disposition"]
        assert re.fullmatch(
            r"attachment; filename=\"[\w .,()+=@~-]+\"(; filename\*=UTF-8''[\w%.~!#$&+^`|()'-]+)?", said
        )
        assert "Set-Cookie" not in response.headers
        assert not response.cookies


def test_s19_nothing_leaves_the_folder_an_archive_is_unpacked_in(alice: World, tmp_path: Path) -> None:
    message = factories.message(alice.inbox, text="x", parts=parts(alice)).message_id
    response = alice.client.get(reverse("mail:attachments", args=[message]))
    streamed = response.streaming_content  # type: ignore[attr-defined]  # the test client does not tell its responses apart
    with zipfile.ZipFile(io.BytesIO(b"".join(streamed))) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "here")
    assert len(names) == len(NAMES)
    assert all(map(harmless, names)), names
    assert len({unicodedata.normalize("NFC", name.casefold()) for name in names}) == len(names)
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(["here", *names])


@pytest.mark.parametrize("year", [1971, 2107, 2150, 2300])
def test_s19_an_archive_is_made_whatever_date_its_message_claims(alice: World, year: int) -> None:
    claimed = datetime(year, 5, 17, 12, 30, tzinfo=UTC)
    message = factories.message(alice.inbox, text="x", parts=parts(alice), sent_at=claimed).message_id
    response = alice.client.get(reverse("mail:attachments", args=[message]))
    streamed = response.streaming_content  # type: ignore[attr-defined]  # as above
    with zipfile.ZipFile(io.BytesIO(b"".join(streamed))) as archive:
        assert archive.testzip() is None
        assert {info.date_time[:2] for info in archive.infolist()} == {(min(max(year, 1980), 2107), 5)}


def test_s49_a_thousand_equal_names_are_told_apart_at_once() -> None:
    began = time.process_time()
    names = unique_names(["\u00e9" * 146 + ".pdf", "E\u0301" * 146 + ".PDF"] * 1_500)
    assert time.process_time() - began < 1
    assert len({unicodedata.normalize("NFC", name.casefold()) for name in names}) == 3_000


@pytest.mark.parametrize("name", ["CON .txt", "nul  .a.b", "conin$", "CONOUT$.log", "com1\t.txt"])
def test_s19_a_device_stays_one_with_blanks_before_its_end(name: str) -> None:
    assert safe_filename(name).startswith("_")


@given(st.lists(st.text(max_size=300), max_size=12))
def test_s19_any_names_become_different_harmless_ones(names: list[str]) -> None:
    found = unique_names(names)
    assert all(map(harmless, found)), found
    assert len({name.casefold() for name in found}) == len(names)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_s19_what_was_made_safe_stays_as_it_is(name: str) -> None:
    assert safe_filename(safe_filename(name)) == safe_filename(name)
