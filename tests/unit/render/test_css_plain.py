"""The short way through CSS lets through what the parser's way does, character for character."""

import re

import pytest
import tinycss2
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.render import vectors
from webmail.render import css, css_plain

BITS = (
    *("color", "COLOR", "margin", "background", "font-family", "text-indent", "-webkit-x", "--x", "*zoom", "position"),
    *(":", ";", "{", "}", "(", ")", "[", "]", ",", "/", "/*", "*/", "/* x */", "!", "!important", "! Important", "@"),
    *("red", "#fff", "#0a6370", "12px", "-3px", "+.5em", "1e3px", "100%", "1.e", "10vh", "0", "-0", ".5", "'", '"'),
    *("'a b'", '"a;b"', "rgb(1,2,3)", "url(x)", "url(http://e/*y)", "calc(1px + 2px)", "var(--x)", "expression(1)"),
    *("\\", "\\9", "\n", "\r", "\t", "\f", " ", "  ", "\v", "\0", "<!--", "-->", "<", ">", "+", "~", "*", ".", "#"),
    *("a", "td", "html", "body", ".x", ".x-y", "#id", "#m-id", "a:hover", ":root", "p.body", "html body p", "[x=y]"),
    *("@media", "@media (max-width:480px)", "@import 'x';", "@font-face", "@charset 'x';", "screen", "é", "_", "-"),
    *(
        "{color:red}",
        "{margin:0 auto;}",
        "a{color:red}",
        "@media screen{a{color:red}}",
        ".x,td>p{border:1px solid #ccc}",
    ),
)
TEXTS = st.lists(st.sampled_from(BITS), max_size=14).map("".join)
_SHORT = frozenset((" ", "\n", "/* x */", "a", ".x", ";", "}"))
SHEETS = st.lists(st.sampled_from([bit for bit in BITS if len(bit) > 5 or bit in _SHORT]), max_size=8).map("".join)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    css.forget()


def by_parser_alone(monkeypatch: pytest.MonkeyPatch, function: str, text: str) -> str:
    with monkeypatch.context() as patch:
        patch.setattr(css_plain, "declarations", lambda _: None)
        patch.setattr(css_plain, "declaration", lambda _: None)
        patch.setattr(css_plain, "statements", lambda _: None)
        patch.setattr(css_plain, "selectors", lambda _: None)
        return str(getattr(css, function)(text))


def same(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for function in ("clean_declarations", "clean_stylesheet"):
            assert getattr(css, function)(text) == by_parser_alone(patch, function, text), (function, text)


@settings(max_examples=600, deadline=None)
@given(TEXTS)
def test_any_text_comes_out_as_from_the_parser(text: str) -> None:
    same(text)


@settings(max_examples=600, deadline=None)
@given(SHEETS)
def test_any_style_sheet_comes_out_as_from_the_parser(text: str) -> None:
    same(text)


@pytest.mark.parametrize("bit", ["\x0b", "\x1c", "\x85", "\xa0", "\u2028", "\u3000"])
def test_what_python_takes_for_space_and_css_does_not(bit: str) -> None:
    for frame in ("{}a{{color:red}}", "a{{color:red}}{}", "a{{color:red}}{}b{{margin:0}}", "a{}b{{color:red}}", "{}"):
        same(frame.format(bit))
    for frame in (
        "{}color:red",
        "color:red{}",
        "color:red;{};margin:0",
        "color:{}red",
        "@media {}x{{a{{margin:0}}{}}}",
    ):
        same(frame.format(bit, bit))


@pytest.mark.parametrize("bit", BITS)
def test_each_bit_alone_and_in_a_rule(bit: str) -> None:
    around = ("{}", "color:{}", "color:red;{};margin:0", "a{{{}}}", "{}{{color:red}}", "a{}b{{margin:0}}")
    for frame in around:
        same(frame.format(bit))


def test_the_styles_of_every_vector_come_out_as_from_the_parser() -> None:
    styles = re.compile(r"style=[\"']([^\"']*)|<style[^>]*>(.*?)</style", re.DOTALL)
    for vector in vectors.ALL:
        for match in styles.finditer(vector):
            same(match[1] or match[2] or "")


@pytest.mark.skipif(not css_plain.TRUSTED, reason="this Python's possessive patterns are not to be relied on")
def test_ordinary_sheets_need_no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the parser was asked")

    for name in ("parse_stylesheet", "parse_blocks_contents", "parse_component_value_list", "parse_rule_list"):
        monkeypatch.setattr(tinycss2, name, refuse)
    sheet = """/* reset */ body, table td.x, #outlook a { margin: 0; padding:0 10px; color:#222 !important; }
    @media only screen and (max-width: 480px) { .w { width:100%!important; mso-x:y } }
    @font-face{font-family:X;src:url(x)}"""
    assert css.clean_stylesheet(sheet) == (
        ":where(.m-body),table td.x,#m-outlook a{margin:0;padding:0 10px;color:#222!important}\n"
        "@media only screen and (max-width: 480px){.w{width:100%!important}}"
    )
