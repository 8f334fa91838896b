import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.filenames import safe_filename
from webmail.mime.params import parse_parameterised


@pytest.mark.parametrize(
    ("value", "params"),
    [
        ('text/plain; charset="utf-8"', {"charset": "utf-8"}),
        ("text/plain; charset=utf-8; format=flowed", {"charset": "utf-8", "format": "flowed"}),
        ("text/plain charset=utf-8", {"charset": "utf-8"}),
        ("a/b; name=two words.pdf; x=y", {"name": "two words.pdf", "x": "y"}),
        (r'a/b; name="a\"b.pdf"', {"name": 'a"b.pdf'}),
        (r'a/b; name="C:\dir\b.pdf"', {"name": r"C:\dir\b.pdf"}),
        ('a/b; name="un;quoted', {"name": "un"}),
        ("a/b; name*=utf-8'de'%C3%A9.txt", {"name": "é.txt"}),
        ("a/b; name*0*=utf-8''%C3%A9; name*1=.t; name*2=xt", {"name": "é.txt"}),
        ("a/b; name*1=b; name*0=a", {"name": "ab"}),
        ("a/b; name*1=b; name*2=c", {"name": "bc"}),
        ("a/b; name*=''%C3%A9", {"name": "é"}),
        ("a/b; name*=nonsense''%E9", {"name": "é"}),
        ("a/b; name=plain; name*=utf-8''better", {"name": "better"}),
        ("a/b; name==?utf-8?Q?=C3=A9.txt?=", {"name": "é.txt"}),
        ('a/b; name="=?iso-8859-1?Q?=E9.txt?="', {"name": "é.txt"}),
        ("a/b; x=1; x=2", {"x": "1"}),
        ("a/b;;; ; =x; y", {}),
    ],
)
def test_parameters_in_the_wild(value: str, params: dict[str, str]) -> None:
    assert parse_parameterised(value)[1] == params


def test_endless_segments_are_cut() -> None:
    value = "a/b" + "".join(f"; a*{number}*=%41%41%41%41" for number in range(3_000))
    assert set(parse_parameterised(value)[1]["a"]) == {"A"}


# S19
@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\a.doc", "a.doc"),
        ("a\r\nSet-Cookie: x", "a Set-Cookie_ x"),
        ('a"b.txt', "a_b.txt"),
        ("a\0.txt", "a.txt"),
        ("\u202egpj.exe", "gpj.exe"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("..", ""),
        ("/", ""),
        (".bashrc", "_bashrc"),
        ("x. . .", "x"),
        ("👍.txt", "👍.txt"),
        ("e\u0301.txt", "é.txt"),
    ],
)
def test_file_names_are_made_harmless(name: str, safe: str) -> None:
    assert safe_filename(name) == safe


def test_long_names_keep_their_extension() -> None:
    safe = safe_filename("字" * 5_000 + ".docx")
    assert safe.endswith(".docx") is False  # the name proper was longer than any name: cut before the end was seen
    assert safe_filename("字" * 900 + ".docx").endswith("字.docx")
    assert len(safe.encode()) <= 255


@given(st.text(max_size=300))
def test_any_name_is_safe(name: str) -> None:
    safe = safe_filename(name)
    assert len(safe) <= 150
    assert len(safe.encode("utf-8")) <= 255
    assert not {*'/\\\r\n\0"<>:|?*\u202e'} & {*safe}
    assert safe not in (".", "..")


@given(st.text(alphabet="ab;=\"'*%0123 \\\n", max_size=100))
def test_any_field_is_taken(value: str) -> None:
    parse_parameterised("a/b;" + value)
