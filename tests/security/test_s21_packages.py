"""S21: what is unpacked on the server is bounded in entries, octets, depth and time, whatever it promises."""

import resource
import struct
import time

import pytest

from tests.support.packing import attached, binary, bomb, compressed, message_properties, signed, tnef, words
from webmail.mime.parse import parse_message
from webmail.mime.rtf import LARGEST, decompress, read_rtf
from webmail.mime.tnef import open_tnef
from webmail.sync.content import beginning, read_content

SECONDS = 5
EMBED = bytes.fromhex("0703020000000000c000000000000046")


def nested(levels: int) -> bytes:
    inner = tnef(*attached(words(0x3707, "leaf.txt"), binary(0x3701, b"leaf")))
    for _ in range(levels):
        inner = tnef(*attached(words(0x3001, "level"), binary(0x3701, EMBED + inner, 0x0D)))
    return inner


def repeated(entries: int) -> bytes:
    """One large property list that is read again by every attachment."""
    rows = [(0x3701, 0x03, struct.pack("<I", 1))] * 9_000
    return tnef(*attached(*rows, name=b"a", data=b"a") * entries)


HOSTILE = {
    "a hundred levels": nested(100),
    "100,000 files": tnef(*attached(name=b"a", data=b"a") * 100_000),
    "large lists": repeated(60),
    "a rich text bomb": tnef(message_properties(binary(0x1009, bomb(2**32 - 1)))),
    "many rich text bombs": tnef(*[message_properties(binary(0x1009, bomb(2**32 - 1)))] * 40),
    "braces": tnef(message_properties(binary(0x1009, compressed(b"{\\rtf1" + b"{\\b" * 300_000)))),
    "escapes": tnef(message_properties(binary(0x1009, compressed(b"{\\rtf1\\ansicpg932" + b"\\f1\\'81" * 150_000)))),
    "long words": tnef(message_properties(binary(0x1009, compressed(b"{\\rtf1" + b"\\" * 900_000)))),
}


@pytest.mark.parametrize("package", HOSTILE.values(), ids=HOSTILE.keys())
def test_s21_packages_end_soon_and_stay_small(package: bytes) -> None:
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    found = open_tnef(package)
    assert found is not None
    assert len(found.files) <= 1_000
    assert sum(len(file.data) for file in found.files) <= 100 * 2**20
    assert len(found.html) + len(found.text) <= 2 * LARGEST
    assert time.process_time() - began < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024 < 256


def test_s21_rich_text_never_grows_beyond_its_bound() -> None:
    unpacked = decompress(bomb(2**32 - 1))
    assert len(unpacked) == LARGEST
    assert read_rtf(unpacked).text == ""


@pytest.mark.parametrize("piece", [b"{}", b"{\xe9}", b"\xe9\\~", b"\\'88\\~", b"a\\f1 "])
def test_s49_rich_text_of_nothing_but_commands_is_read_in_time(piece: bytes) -> None:
    text = b"{\\rtf1\\ansi " + piece * (LARGEST // len(piece))
    began = time.process_time()
    read_rtf(text)
    assert time.process_time() - began < 2


def test_s21_a_package_in_a_package_stays_closed() -> None:
    """Depth is one: a signature around winmail.dat, and winmail.dat around winmail.dat, give files."""
    head = b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\n"
    winmail = head + b"Content-Type: application/ms-tnef; name=winmail.dat\r\n\r\n" + nested(0)
    raw = head + b"Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\n" + signed(winmail)
    content = read_content(parse_message(raw).root, lambda part, most=2**23: beginning(raw, part, most))
    assert [(row["path"], row["role"], row["filename"]) for row in content.parts] == [
        ("1", "package", "attachment.p7m"),
        ("1.S1", "attachment", "winmail.dat"),
    ]


def test_s21_archives_are_not_opened_at_all() -> None:
    raw = b"MIME-Version: 1.0\r\nContent-Type: application/zip; name=a.zip\r\n\r\nPK\3\4"
    content = read_content(parse_message(raw).root, lambda part, most=2**23: beginning(raw, part, most))
    assert content.octets == {}
