"""The CSS filter: what it keeps, what it drops, and that nothing makes it fail."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.render.oracle import CSS
from webmail.render.css import clean_declarations, clean_stylesheet
from webmail.render.css_media import clean_media


@pytest.mark.parametrize(
    "css",
    [
        "color:#0a6370",
        "margin:0 auto",
        "width:calc(100% - 20px)",
        "color:red!important",
        'font-family:Arial,"Segoe UI",sans-serif',
        "background:linear-gradient(90deg,#fff,rgba(0,0,0,.5))",
        "border:1px solid #eee;border-radius:4px",
        "letter-spacing:-.5px",
        "vertical-align:-webkit-baseline-middle",
    ],
)
def test_harmless_declarations_stay(css: str) -> None:
    assert clean_declarations(css).replace("rgba(0,0,0,0.5)", "rgba(0,0,0,.5)") == css


@pytest.mark.parametrize(
    "css",
    [
        "position:fixed",
        "posit\\69on:fixed",
        "background:url(x)",
        "background:u\\72 l(x)",
        "background:image-set('x' 1x)",
        "color:var(--x)",
        "--x:red",
        "width:env(x)",
        "content:'x'",
        "margin:-1px",
        "margin-inline-start:calc(1px - 2px)",
        "text-indent:-999em",
        "height:50vh",
        "width:calc(100vmin)",
        "font-family:'<'",
        "font-family:\\3c",
        "font-family:'a\nb'",
        "color:red;background:url(x",
        "mso-x:y",
        "*zoom:1",
        "color:'red'",
        "color:{}",
        "color:@x",
        "color:[x]",
        "width:calc(" + "(" * 60 + "1px" + ")" * 61,
        "animation:x 1s",
    ],
)
def test_other_declarations_go(css: str) -> None:
    assert clean_declarations(css) in ("", "color:red")


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        ("p,td>a:hover{color:red}", "p,td>a:hover{color:red}"),
        ("html body p{color:red}", ":where(.m-body) p{color:red}"),
        (":root,html{color:red}", ":where(.m-body),:where(.m-body){color:red}"),
        (".body{color:red}", ".body{color:red}"),
        ("p:nth-child(2n+1){color:red}", "p:nth-child(2n+1){color:red}"),
        ("p:not(.a, #b){color:red}", "p:not(.a,#m-b){color:red}"),
        ('u + .x, [class~="y"]{color:red}', 'u + .x,[class~="y"]{color:red}'),
        ("#m-a{color:red}", "#m-a{color:red}"),
        ("p::before,p:has(a),:host,a\\:b{color:red}", ""),
        ("[id=x],[name=y]{color:red}", ""),
        ('[title="</style>"]{color:red}', ""),
        ("@media screen{@media print{p{color:red}}}", "@media screen{@media print{p{color:red}}}"),
        ("@media (prefers-color-scheme:dark){p{color:red}}", ""),
        ("@import 'x';@font-face{src:url(x)}@supports(color:red){p{color:red}}p{color:red}", "p{color:red}"),
        ("<!-- p{color:red} -->", "p{color:red}"),
        ("p{color:red", "p{color:red}"),
        ("p{position:fixed}", ""),
    ],
)
def test_rules(css: str, kept: str) -> None:
    assert clean_stylesheet(css) == kept


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("screen and (MAX-WIDTH: 600px)", "screen and (max-width: 600px)"),
        ("only screen and (max-device-width:480px), print", "only screen and (max-device-width:480px), print"),
        ("screen and (-webkit-min-device-pixel-ratio:0)", "screen and (-webkit-min-device-pixel-ratio:0)"),
        ("(min-height:1px)", ""),
        ("(width>1px)", ""),
        ("screen{}@import 'x'", ""),
        ("s" * 400, ""),
        ("", ""),
    ],
)
def test_media_queries(query: str, kept: str) -> None:
    assert clean_media(query) == kept


@pytest.mark.parametrize(
    "css", ["{" * 900, "a{b:" + "(" * 5_000, "[" * 100_000, "@media all{" * 900, "a{}" * 200_000, "/*" * 50_000]
)
def test_bombs_end(css: str) -> None:
    assert clean_stylesheet(css) == ""
    assert clean_declarations(css) == ""


css_text = st.lists(
    st.one_of(
        st.sampled_from(
            ["p", "{", "}", ":", ";", "url(", ")", "color", "red", "@media ", "\\", "<", "/*", "*/", '"', "#a", ","]
        ),
        st.text(max_size=4),
    ),
    max_size=40,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(css_text)
def test_any_css_comes_out_harmless_and_settled(css: str) -> None:
    rules, declarations = clean_stylesheet(css), clean_declarations(css)
    assert not CSS.search(rules + declarations)
    assert clean_stylesheet(rules) == rules
    assert clean_declarations(declarations) == declarations
