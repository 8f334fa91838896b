import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.charset import codec_of, decode_html, decode_text


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("utf8", "utf_8"),
        ("UTF-8 ;", "utf_8"),
        ('"utf-8"', "utf_8"),
        ("cp-850", "cp850"),
        ("x-sjis", "cp932"),
        ("Shift_JIS", "cp932"),
        ("ks_c_5601-1987", "cp949"),
        ("gb2312", "gb18030"),
        ("ISO-8859-1", "cp1252"),
        ("iso-8859-8-i", "iso8859_8"),
        ("unicode-1-1-utf-7", "utf_7"),
        ("x-mac-cyrillic", "mac_cyrillic"),
        ("windows-1251", "cp1251"),
        ("win-1250", "cp1250"),
        ("iso-2022-jp$ESC", "iso2022_jp"),
        ("x-unknown", None),
        ("", None),
        (None, None),
    ],
)
def test_labels_mean_what_their_senders_mean(label: str | None, codec: str | None) -> None:
    assert codec_of(label) == codec


@pytest.mark.parametrize("label", ["punycode", "idna", "unicode_escape", "raw_unicode_escape", "rot13", "zip", "../x"])
def test_codecs_that_are_no_charsets_are_out_of_reach(label: str) -> None:
    assert codec_of(label) is None
    assert decode_text(b"\\u0041xn--", label) == "\\u0041xn--"


@pytest.mark.parametrize(
    ("data", "declared", "text"),
    [
        ("Grüße".encode(), "us-ascii", "Grüße"),
        ("Grüße".encode(), "iso-8859-1", "Grüße"),
        ("Grüße".encode("latin-1"), "utf-8", "Grüße"),
        ("Grüße".encode("latin-1"), None, "Grüße"),
        (b"\x93quoted\x94", "iso-8859-1", "“quoted”"),
        ("日本".encode("iso2022_jp"), None, "日本"),
        ("日本".encode("iso2022_jp"), "us-ascii", "日本"),
        (b"\x1b$B-!\x1b(B", "iso-2022-jp", "①"),
        ("Привет, как дела? Это письмо".encode("cp1251"), "windows-1251", "Привет, как дела? Это письмо"),
        ("\ufeffmark".encode("utf-16"), "utf-8", "mark"),
        (b"plain words\n", "utf-16", "plain words\n"),
        (b"<p>plain words</p>", "utf-32le", "<p>plain words</p>"),
        ("schöne Worte".encode(), "utf-16be", "schöne Worte"),
        ("two\n".encode("utf-16-le"), "utf-16", "two\n"),
        ("春の海\n".encode("utf-16-be"), "utf-16be", "春の海\n"),
        ("汰慩".encode("utf-16-le"), "utf-16le", "plia"),  # what is all letters of ASCII is taken for them
        (b"\xef\xbb\xbfmark", "iso-8859-1", "mark"),
        (b"a\0b", "utf-8", "a\ufffdb"),
        ("€ euro".encode()[:2] + b"x", "no-such-charset", "â‚x"),
        ("cut off €".encode()[:-1], "utf-8", "cut off \ufffd"),
        (b"", None, ""),
    ],
)
def test_lies_are_seen_through(data: bytes, declared: str | None, text: str) -> None:
    assert decode_text(data, declared) == text


def test_undeclared_cyrillic_is_guessed() -> None:
    words = "Здравствуйте, отправляю вам документы по договору, как мы обсуждали вчера на встрече."
    assert decode_text(words.encode("cp1251"), None) == words


def test_meta_charset_counts_only_without_a_declared_one() -> None:
    page = '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">Да'.encode("cp1251")
    assert decode_html(page, None).endswith("Да")
    assert decode_html(page, "koi8-r").endswith("Да".encode("cp1251").decode("koi8-r"))


@given(
    st.binary(max_size=300),
    st.sampled_from(
        ["utf-8", "utf-7", "hz", "iso-2022-jp", "iso-2022-kr", "utf-16", "utf-32", "big5", "ascii", "", "?"]
    ),
)
def test_decoding_is_total_and_storable(data: bytes, declared: str) -> None:
    text = decode_text(data, declared)
    assert "\0" not in text
    text.encode("utf-8")
