"""What the layers' contracts in pyproject cannot say: who may import a dangerous library, and how text becomes markup.

Read from the syntax trees of every module and from the templates, so that a new file is judged as soon as it exists.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(path for top in ("webmail", "accounts") for path in (ROOT / top).rglob("*.py"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SCRIPTS = sorted((ROOT / "static" / "js").rglob("*.js"))

# Library → the modules (path prefixes) that may import it. Absent from the right side means nobody.
MAY_IMPORT = {
    "socket": ("webmail/protocols/",),
    "ssl": ("webmail/protocols/", "webmail/watch/line.py"),  # the watcher reads what protocols dialled: names of errors
    "imaplib": ("webmail/protocols/errors.py", "webmail/protocols/imap_login.py"),
    "imapclient": ("webmail/protocols/errors.py", "webmail/protocols/imap_login.py"),
    "nh3": ("webmail/render/html.py",),
    "tinycss2": ("webmail/render/",),
    "cryptography": ("accounts/crypto.py",),
    # the last two: numbers
    "redis": ("webmail/live.py", "webmail/views/live.py", "webmail/watch/", "webmail/budget.py", "webmail/progress.py"),
    # over a socket that protocols.net dialled
    "http.client": ("webmail/protocols/oauth.py", "webmail/protocols/egress.py", "webmail/protocols/dav.py"),
    "xml": ("webmail/protocols/dav_xml.py",),  # expat alone, which refuses document types there
    "PIL": ("webmail/imaging/reencode.py",),  # which runs in the limited child alone
    "subprocess": ("webmail/imaging/pool.py",),
    **dict.fromkeys(("poplib", "smtplib", "ftplib", "telnetlib", "urllib.request"), ()),
    **dict.fromkeys(("requests", "httpx", "aiohttp", "urllib3"), ()),
    **dict.fromkeys(("pickle", "cPickle", "dill", "marshal", "shelve", "yaml", "pty", "ctypes"), ()),
    **dict.fromkeys(("lxml", "bleach", "jinja2"), ()),
}
# Where text that is known to be safe may be declared so.
MAKES_MARKUP = {"webmail/templatetags/mailroom.py", "webmail/templatetags/row_shapes.py"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


@cache
def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("library", MAY_IMPORT)
def test_dangerous_libraries_have_one_place(library: str) -> None:
    allowed = MAY_IMPORT[library]
    users = {
        name(path) for path in SOURCES for one in imported(path) if one == library or one.startswith(library + ".")
    }
    assert {user for user in users if not user.startswith(allowed)} == set()


@pytest.mark.parametrize("library", ["nh3", "cryptography", "imapclient", "socket"])
def test_the_place_is_where_it_is_said_to_be(library: str) -> None:
    assert any(one.partition(".")[0] == library for path in SOURCES for one in imported(path))


def test_nothing_is_run_that_was_built_from_text() -> None:
    found = {f"{name(path)}:{node.lineno}" for path in SOURCES for node in calls(path) if called(node) in RUNS_TEXT}
    assert found == set()


RUNS_TEXT = {"eval", "exec", "__import__", "system", "popen", "import_module"}
DECLARES_SAFE = {"mark_safe", "SafeString", "SafeText", "SafeData", "html_safe"}
FORMATS = {"format_html", "format_html_join"}
LOOKED_AT = {
    "SafeString(''.join(pieces))",  # row_shapes: each value was escaped on its way in, see tests/security/test_s05…
    "SafeString(f'\\ue000{name}\\ue001')",  # row_shapes: marks, named by constants
}


def constant(node: ast.expr) -> bool:
    """A literal, also one that is looked up in the translations."""
    if isinstance(node, ast.Call) and called(node) in ("_", "gettext", "gettext_lazy") and node.args:
        return constant(node.args[0])
    return isinstance(node, ast.Constant)


def test_text_is_declared_safe_in_two_modules() -> None:
    declaring = {name(path) for path in SOURCES for node in calls(path) if called(node) in DECLARES_SAFE}
    assert declaring <= MAKES_MARKUP
    loose = {
        ast.unparse(node)
        for path in SOURCES
        for node in calls(path)
        if called(node) in DECLARES_SAFE and not constant(node.args[0])
    }
    assert loose <= LOOKED_AT, "text that is not constant was declared safe: look at it, then write it down above"


def test_markup_is_formatted_from_constants() -> None:
    """The first argument is a literal: an f-string or a sum would carry text past the escaping."""
    for path in SOURCES:
        for node in calls(path):
            if called(node) in FORMATS:
                assert node.args, f"{name(path)}:{node.lineno}"
                assert constant(node.args[0]), f"{name(path)}:{node.lineno} is made of something not constant"


def test_html_methods_are_not_overridden() -> None:
    """`__html__` and `is_safe` are other ways round the escaping."""
    for path in SOURCES:
        assert "__html__" not in path.read_text(), name(path)
        filters = [
            node for node in calls(path) for word in node.keywords if word.arg in ("is_safe", "needs_autoescape")
        ]
        assert filters == [], name(path)


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_templates_escape_everything(path: Path) -> None:
    source = path.read_text()
    assert not re.search(r"\|\s*safe\b|\|\s*safeseq\b|autoescape\s+off|\{%\s*(?:debug|load\s+[^%]*\bsafe)", source)
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", source)
    assert not re.search(r"\son[a-z]+\s*=|javascript:|hx-on|hx-vals=.js:|\sstyle=", text, re.IGNORECASE), "inline code"
    assert not re.search(
        r"<script(?![^>]*\bsrc=)(?![^>]*type=\"(?:speculationrules|importmap|application/json)\")", text
    )
    unquoted = re.findall(r"=\{\{|=\{%\s*url", source)
    assert unquoted == [], "an attribute's value from a variable needs quotes"


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_scripts_write_text_not_markup(path: Path) -> None:
    writers = r"\.(?:innerHTML|outerHTML)\s*\+?=|insertAdjacentHTML|setHTMLUnsafe|createContextualFragment|srcdoc"
    risky = writers + r"|document\.write|\beval\(|new Function"
    found = {f"{path.name}: {line.strip()}" for line in path.read_text().splitlines() if re.search(risky, line)}
    assert found == set()


def test_no_form_takes_every_field() -> None:
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Assign) and any(
                getattr(t, "id", "") in ("fields", "exclude") for t in node.targets
            ):
                assert not (isinstance(node.value, ast.Constant) and node.value.value == "__all__"), name(path)


def test_no_view_is_excused_from_its_token() -> None:
    """`csrf_exempt` is nowhere; a frame may be shown inside only where its own policy says by whom."""
    for path in SOURCES:
        assert not any(one.endswith("csrf_exempt") for one in imported(path)), name(path)
    framed = {name(path) for path in SOURCES if any("xframe_options" in one for one in imported(path))}
    assert framed <= {f"webmail/views/{module}.py" for module in ("reading", "composer_parts", "previews")}


PUTS_TOGETHER = {"webmail/sync/sql.py"}  # names of tables and columns, from its callers' constants


def of_constants(node: ast.expr) -> bool:
    """A literal, a NAMED constant, or an entry of one."""
    if isinstance(node, ast.Subscript):
        return of_constants(node.value)
    named = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return isinstance(node, ast.Constant) or bool(named and named.isupper())


def pieces(node: ast.expr) -> list[ast.expr]:
    """What is put together on the spot: an f-string's values, a sum's or a template's parts; nothing for a name."""
    if isinstance(node, ast.JoinedStr):
        return [value.value for value in node.values if isinstance(value, ast.FormattedValue)]
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.Call) and called(node) == "format":
        return [*node.args, *(word.value for word in node.keywords)]
    return []


def test_queries_are_parametrised() -> None:
    """Text given to a cursor is never put together with values; those go beside it."""
    for path in SOURCES:
        for node in calls(path):
            if called(node) in ("execute", "executemany", "RawSQL", "copy") and node.args:
                loose = [ast.unparse(piece) for piece in pieces(node.args[0]) if not of_constants(piece)]
                assert not loose or name(path) in PUTS_TOGETHER, f"{name(path)}:{node.lineno} {loose}"


def test_logs_carry_no_values_of_mail_or_secrets() -> None:
    """A log call's arguments never name a password, secret, token or credential, nor an exception as it stands."""
    risky = re.compile(r"password|secret|credential|token|sealed|subject|address|body|\berror\b(?!\.)", re.IGNORECASE)
    for path in SOURCES:
        for node in calls(path):
            if not (isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") in ("log", "logger")):
                continue
            for argument in node.args[1:]:
                text = ast.unparse(argument)
                if text.startswith(("type(", "len(")):
                    continue
                assert not risky.search(text), f"{name(path)}:{node.lineno} logs {text}"
