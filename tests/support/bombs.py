"""Messages made to exhaust whoever reads them, each read in a process of its own that says what it cost.

Read means all that happens to a message between the mail server and the page: taken apart, its text chosen and cleaned,
its snippet and its attachments' names made.
"""

from __future__ import annotations

import base64
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
MB = 2**20


class Cost(NamedTuple):
    """``seconds`` of CPU, ``megabytes`` at the peak, the process and its libraries included; what was shown."""

    seconds: float
    megabytes: float
    shown: int


def html(body: str) -> bytes:
    return b"Subject: a bomb\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body.encode()


def text(body: bytes, more: bytes = b"") -> bytes:
    return b"Subject: a bomb\r\nContent-Type: text/plain; charset=utf-8\r\n" + more + b"\r\n" + body


def nested_multiparts() -> bytes:
    opening = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(5_000))
    return b"Subject: deep\r\n" + opening + b"\r\nat the bottom"


def base64_in_base64() -> bytes:
    inner = b"Content-Type: text/plain\r\n\r\nat the bottom"
    for number in range(30):
        head = b'Content-Type: multipart/mixed; boundary="b%d"\r\n' % number
        inner = head + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(b"--b%d\r\n" % number + inner)
        if len(inner) > 20 * MB:
            break
    return inner


def long_parameter() -> bytes:
    pieces = b"".join(b";\r\n name*%d*=%%41" % number for number in range(3_000))
    return b"Content-Type: application/pdf" + pieces + b"\r\n\r\nx"


def style(rules: str) -> bytes:
    return html(f"<style>{rules}</style><p class=a>words")


BOMBS: dict[str, Callable[[], bytes]] = {
    "multiparts in multiparts": nested_multiparts,
    "100,000 parts": lambda: b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nhi\r\n" * 100_000,
    "a million boundaries": lambda: b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 1_000_000,
    "messages in messages": lambda: b"Content-Type: message/rfc822\r\n\r\n" * 50_000 + b"\r\nhi",
    "base64 in base64": base64_in_base64,
    "200,000 header fields": lambda: b"X-Field: value\r\n" * 200_000 + b"\r\nhi",
    "a header of 40 MB": lambda: b"X-Field: " + b"a " * (20 * MB) + b"\r\n\r\nhi",
    "20,000 addresses": lambda: b"To: " + b", ".join(b"a%d@b.example" % n for n in range(20_000)) + b"\r\n\r\nhi",
    "comments in comments": lambda: (
        b"From: " + b"(" * 200_000 + b"a@b.example\r\nTo: " + b"<" * 200_000 + b"\r\n\r\nhi"
    ),
    "100,000 encoded words": lambda: b"Subject: " + b"=?utf-8?q?=41?= " * 100_000 + b"\r\n\r\nhi",
    "100,000 references": lambda: b"References: " + b"".join(b"<%d@x> " % n for n in range(100_000)) + b"\r\n\r\nhi",
    "a parameter in 3,000 pieces": long_parameter,
    "parameters without end": lambda: b"Content-Type: text/plain; " + b"a=b; " * 100_000 + b"\r\n\r\nhi",
    "50 MB of HTML": lambda: html("<p>words and words</p>\n" * (50 * MB // 24)),
    "50 MB of text": lambda: text(b"words and words and more of them\n" * (50 * MB // 33)),
    "one line of 8 MB": lambda: text(b"a" * (8 * MB)),
    "a million @": lambda: text(b"a@" * 1_000_000),
    "a million quotes": lambda: text(b">" * 1_000_000 + b"\n" + b"> " * 500_000 + b"\n" + b">\n" * 500_000),
    "a million links": lambda: text(b"http://a.b " * 700_000),
    "40 MB of ==": lambda: text(b"=" * (40 * MB), b"Content-Transfer-Encoding: quoted-printable\r\n"),
    "40 MB of base64": lambda: text(b"QUFB\n" * (8 * MB), b"Content-Transfer-Encoding: base64\r\n"),
    "files in the text": lambda: text(b"begin 644 a\nM\n`\nend\n" * 200_000),
    "begins without end": lambda: text(b"begin 644 a\n=ybegin line=1 size=1 name=b\n" * 200_000),
    "100,000 attributes": lambda: html("<p " + " ".join(f"a{n}=1" for n in range(100_000)) + ">words"),
    "50,000 nested divs": lambda: html("<div>" * 50_000 + "words"),
    "formatting reopened": lambda: html("<b><i><u><font color=red>" * 300 + "<p>x" * 20_000),
    "tables in tables": lambda: html("<table><tr><td>" * 20_000 + "words"),
    "content before tables": lambda: html("<table>" + "<b>x<tr>" * 100_000),
    "a select without end": lambda: html("<select>" + "<option>x" * 300_000),
    "svg in svg": lambda: html("<svg><desc>" * 50_000),
    "100,000 styles": lambda: html("".join(f'<p style="margin:{n}px;color:rgb({n},1,2)">x' for n in range(60_000))),
    "comments in HTML": lambda: html("<!--" * 300_000 + "<!-->" * 100_000),
    "open tags without end": lambda: html("<a href='x" * 300_000),
    "entities": lambda: html("&amp;lt;&notin" * 140_000),
    "CSS in CSS": lambda: style("@media screen{" * 900 + "a{color:red}" + "}" * 900),
    "brackets in CSS": lambda: style("a{width:" + "calc(" * 100_000 + "}"),
    "rules without end": lambda: style("a{color:red}" * 60_000),
    "selectors without end": lambda: style(",".join(f".a{n} td>p" for n in range(60_000)) + "{color:red}"),
    "quotes in CSS": lambda: style("a{font-family:'x" * 40_000),
    "comments in CSS": lambda: style("/*" * 100_000 + "a{color:red}" + "/**/" * 50_000),
    "1,000 style elements": lambda: html("<style>a{color:red}</style>" * 60_000),
    "ISO-2022 shifts": lambda: text(b"\x1b$B\x1b(B" * 1_000_000).replace(b"utf-8", b"iso-2022-jp"),
    "UTF-7": lambda: text(b"+AGEAYg-" * 1_000_000).replace(b"utf-8", b"utf-7"),
}


def read(raw: bytes) -> int:
    """The message's way to the page; how many words, files and explanations there are to show."""
    from functools import partial

    from webmail.mime.parse import parse_message
    from webmail.render.plain import html_to_text
    from webmail.render.text import plain_to_html
    from webmail.sync.content import beginning, read_content

    parsed = parse_message(raw)
    content = read_content(parsed.root, partial(beginning, raw))
    shown = content.clean if content.clean is not None else plain_to_html(content.text)
    pictures = shown.html.count("<img")
    files = sum(1 for part in content.parts if part["role"] == "attachment")
    words = len(html_to_text(shown.html[:100_000]).split())
    return words + pictures + files + (1 if content.special else 0)


def costs(names: Iterable[str] = tuple(BOMBS)) -> dict[str, Cost]:
    """What reading each bomb costs. RuntimeError when one does not end well."""
    env = os.environ | {"DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "webmail.settings.test")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.bombs", *names],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2_000:])
    lines = [line.rsplit(" ", 3) for line in done.stdout.splitlines()]
    return {name: Cost(float(seconds), float(megabytes), int(shown)) for name, seconds, megabytes, shown in lines}


def main(names: Sequence[str]) -> int:
    """Forks for each bomb once all that reads it is loaded: the memory is that of a worker which meets it."""
    import django

    django.setup()
    import webmail.sync.content

    assert webmail.sync.content
    for name in names:
        child = os.fork()
        if not child:
            status = 1
            try:
                measure(name)
                status = 0
            except Exception as error:
                print(f"{name}: {error!r}", file=sys.stderr, flush=True)
            finally:
                os._exit(status)
        if os.waitpid(child, 0)[1]:
            return 1
    return 0


def measure(name: str) -> None:
    raw = BOMBS[name]()
    begin = time.process_time()
    shown = read(raw)
    seconds = time.process_time() - begin
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name} {seconds:.3f} {megabytes:.0f} {shown}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
