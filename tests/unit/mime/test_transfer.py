import base64
import binascii
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.transfer import decode_transfer

ENCODINGS = ["base64", "quoted-printable", "x-uuencode", "x-yenc", "7bit", "8bit", "binary", "", "unheard-of"]


@pytest.mark.parametrize(
    ("encoding", "data", "plain"),
    [
        ("base64", b"aGVsbG8=", b"hello"),
        ("BASE64 ", b"aGVs\r\n bG8", b"hello"),
        ("base64", b"aGVsbG8", b"hello"),
        ("base64", b"aGVsbG8gd29yb", b"hello wor"),
        ("base64", b"aGk=\r\naGk=\r\n", b"hihi"),
        ("base64", b"aGVsbG8=\r\n--\r\nThe list's footer, unasked", b"hello"),
        ("base64", b"This was never encoded, it only says so.", b"This was never encoded, it only says so."),
        ("quoted-printable", b"a=3Db=\r\nc", b"a=bc"),
        ("quoted-printable", b"100 = 100 =zz", b"100 = 100 =zz"),
        ("quoted-printable", b"word =20  \r\nnext", b"word  \r\nnext"),
        ("quoted-printable", b"soft=  \r\nbreak", b"softbreak"),
        ("x-uuencode", b"begin 644 a\n%:&5L;&\\\n`\nend\n", b"hello"),
        ("x-uuencode", b"%:&5L;&\\\n", b"hello"),
        ("x-yenc", b"=ybegin line=128 size=3 name=a\r\n" + bytes([107, 108, 109]) + b"\r\n=yend size=3\r\n", b"ABC"),
        ("x-yenc", b"=ybegin line=128 size=1 name=a\n=" + bytes([(ord("A") + 106) % 256]) + b"\n=yend\n", b"A"),
        ("binary", b"\0\xff", b"\0\xff"),
        ("unheard-of", b"as is", b"as is"),
    ],
)
def test_decodes_what_is_really_sent(encoding: str, data: bytes, plain: bytes) -> None:
    assert decode_transfer(data, encoding) == plain


@pytest.mark.parametrize("run", [b"A=", b"QUJD=", b"QQ==", b"=", b"====A"])
def test_s50_any_number_of_padded_runs_is_read(run: bytes) -> None:
    assert isinstance(decode_transfer(run * 20_050 + b"A", "base64"), bytes)


@given(st.binary(max_size=400), st.sampled_from(ENCODINGS))
def test_is_total(data: bytes, encoding: str) -> None:
    assert isinstance(decode_transfer(data, encoding), bytes)


@given(st.binary(max_size=400))
def test_undoes_what_the_standard_library_does(data: bytes) -> None:
    assert decode_transfer(base64.encodebytes(data), "base64") == data
    lines = b"".join(binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))
    assert decode_transfer(b"begin 644 x\n" + lines + b"`\nend\n", "x-uuencode") == data
    printable = data.replace(b"\r", b"").replace(b"\n", b"")
    assert decode_transfer(quopri.encodestring(printable, quotetabs=True), "quoted-printable") == printable
