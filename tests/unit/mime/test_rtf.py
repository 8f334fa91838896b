"""Rich text unpacked and read."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from tests.support.packing import bomb, compressed
from webmail.mime.rtf import LARGEST, decompress, read_rtf

# MS-OXRTFCP section 4.1: the example of the specification
EXAMPLE = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
)


def test_the_example_of_the_specification() -> None:
    assert decompress(EXAMPLE) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"


def test_what_is_not_packed_is_taken_as_it_is() -> None:
    assert decompress(struct.pack("<II", 20, 5) + b"MELA" + bytes(4) + b"{\\rtf1}") == b"{\\rtf"


@given(st.binary(max_size=400))
def test_letters_come_out_as_they_went_in(rtf: bytes) -> None:
    assert decompress(compressed(rtf)) == rtf


@given(st.binary(max_size=400))
def test_nothing_is_too_odd_to_unpack_or_read(data: bytes) -> None:
    unpacked = decompress(struct.pack("<II", len(data), 5_000) + b"LZFu" + bytes(4) + data)
    assert len(unpacked) <= 5_000
    read_rtf(b"{\\rtf1" + data)


def test_a_bomb_is_cut() -> None:
    assert len(decompress(bomb(2**32 - 1))) == LARGEST


def test_text_has_its_lines_letters_and_code_pages() -> None:
    rtf = (
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Arial Cyr;}}{\*\generator x;}"
        rb"\f0 Gr\'fc\'dfe\par\f1 \'cf\'f0\'e8\f0\line \u8364?\tab\{x\}{\pict\bin4 {{{{ffff}\emdash}"
    )
    assert read_rtf(rtf).text == "Grüße\nПри\n€\t{x}—"


def test_html_comes_back_out_of_the_rtf_it_was_put_in() -> None:
    rtf = (
        rb"{\rtf1\ansi\fromhtml1{\*\htmltag64 <p class=\'22a\'22>}\htmlrtf {\pard \htmlrtf0 1 < 2 {\*\htmltag84 &nbsp;}"
        rb"\htmlrtf \'a0\htmlrtf0 end\htmlrtf }\htmlrtf0 {\*\htmltag72 </p>}{\*\mhtmltag72 <img src=x>}}"
    )
    found = read_rtf(rtf)
    assert found.html == '<p class="a">1 &lt; 2 &nbsp;end</p>'
    assert found.text == ""


def test_ten_thousand_braces_nest_no_deeper_than_we_count() -> None:
    assert read_rtf(b"{\\rtf1 " + b"{" * 10_000 + b"x" + b"}" * 10_000 + b"}").text in ("", "x")
