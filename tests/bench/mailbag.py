"""Mail as it comes, for measuring parsers and the sanitizer: whole messages of about 8 KB and designed newsletters.

The same seed gives the same mail. What the template of a newsletter repeats is repeated here, the rest differs from one
to the next, so that nothing remembered of one helps with another more than it would in life.
"""

from __future__ import annotations

import base64
import html
import quopri
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime

from tests.bench.letters import Person, Writer

_RECEIVED = """Received: from mx{n}.{host} (mx{n}.{host} [192.0.2.{n}])
\tby mail.harbourlane.example (Postfix) with ESMTPS id {n:012X}
\tfor <maren@harbourlane.example>; {date}
"""
_SIGNED = """DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={host}; s=mail;
\tt={n}; h=from:to:subject:date:message-id:mime-version:content-type;
\tbh={hash}=;
\tb={long}
Authentication-Results: mail.harbourlane.example; dkim=pass header.d={host};
\tspf=pass smtp.mailfrom={host}; dmarc=pass header.from={host}
"""


class Mailbag:
    """Makes messages one after the other."""

    def __init__(self, seed: int = 1) -> None:
        self.writer = Writer(seed)
        self.random = self.writer.random
        self.made = 0

    def message(self) -> bytes:
        """One raw message: letters, threads, newsletters, notices, attachments, as often as they come."""
        kinds: list[tuple[Callable[[], bytes], int]] = [
            (self._plain, 25),
            (self._alternative, 45),
            (self._newsletter, 12),
            (self._attached, 10),
            (self._pictured, 5),
            (self._latin, 3),
        ]
        make = self.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]
        return self._head() + make()

    def _head(self) -> bytes:
        self.made += 1
        sender, number = self.writer.sender(), self.made
        host = sender.address.partition("@")[2]
        when = datetime(2026, 11, 24, 9, tzinfo=UTC) - timedelta(minutes=number)
        date = format_datetime(when)
        facts = {"n": number % 250, "host": host, "date": date, "hash": self._letters(43), "long": self._letters(340)}
        fields = [
            *(_RECEIVED.format(**facts) for _ in range(self.random.choice((1, 2, 3)))),
            _SIGNED.format(**facts) if self.random.random() < 0.7 else "",
            f"From: {_mailbox(sender)}\n",
            "To: " + ", ".join(map(_mailbox, self.random.choices(self.writer.people, k=self._few()))) + "\n",
            f"Subject: {Header(self.writer.subject(), 'utf-8').encode()}\n",
            f"Date: {date}\nMessage-ID: <{self._letters(20)}@{host}>\nMIME-Version: 1.0\n",
        ]
        if self.random.random() < 0.4:
            chain = [f"<{self._letters(20)}@{host}>" for _ in range(self._few())]
            fields.append(f"In-Reply-To: {chain[-1]}\nReferences: " + "\n ".join(chain) + "\n")
        return "".join(fields).replace("\n", "\r\n").encode()

    def _few(self) -> int:
        return self.random.choice((1, 1, 1, 2, 3, 6))

    def _letters(self, count: int) -> str:
        return base64.b64encode(self.random.randbytes(count)).decode()[:count].replace("/", "a").replace("+", "b")

    def _words(self) -> str:
        paragraphs = [self.writer.text(20, 90) for _ in range(self.random.choice((2, 4, 6, 12)))]
        quoted = self.writer.text(40, 160)
        text = "\n\n".join(textwrap.fill(paragraph, 76) for paragraph in paragraphs)
        return f"{text}\n\nOn Monday, somebody wrote:\n" + textwrap.indent(textwrap.fill(quoted, 72), "> ") + "\n"

    def _plain(self) -> bytes:
        return _part("text/plain; charset=utf-8; format=flowed", self._words().encode(), "8bit")

    def _latin(self) -> bytes:
        words = self._words().encode("iso-8859-1", "replace")
        return _part("text/plain; charset=iso-8859-1", quopri.encodestring(words), "quoted-printable")

    def _alternative(self) -> bytes:
        words = self._words()
        rich = "".join(f'<p style="margin:0 0 12px">{html.escape(line)}</p>' for line in words.split("\n\n"))
        return _multipart(
            "alternative",
            self._letters(24),
            _part("text/plain; charset=utf-8", quopri.encodestring(words.encode()), "quoted-printable"),
            _part("text/html; charset=utf-8", quopri.encodestring(rich.encode()), "quoted-printable"),
        )

    def _newsletter(self) -> bytes:
        rich = quopri.encodestring(self.newsletter(self.random.choice((20_000, 40_000, 80_000))).encode())
        return _multipart(
            "alternative",
            self._letters(24),
            _part("text/plain; charset=utf-8", self._words().encode(), "8bit"),
            _part("text/html; charset=utf-8", rich, "quoted-printable"),
        )

    def _attached(self) -> bytes:
        data = base64.encodebytes(self.random.randbytes(self.random.choice((8_000, 60_000, 300_000))))
        name = Header(f"{self.writer.text(1, 3)}.pdf", "utf-8").encode()
        head = f'application/pdf; name="{name}"\r\nContent-Disposition: attachment; filename="{name}"'
        return _multipart("mixed", self._letters(24), self._alternative(), _part(head, data, "base64"))

    def _pictured(self) -> bytes:
        data = base64.encodebytes(self.random.randbytes(12_000))
        rich = f'<p>{html.escape(self.writer.text(20, 60))}</p><img src="cid:picture@x">'
        picture = _part("image/png\r\nContent-ID: <picture@x>\r\nContent-Disposition: inline", data, "base64")
        return _multipart(
            "related", self._letters(24), _part("text/html; charset=utf-8", rich.encode(), "7bit"), picture
        )

    def newsletter(self, size: int) -> str:
        """A designed newsletter of about so many characters: style blocks, nested tables, inline style, pictures."""
        pieces = ["<!doctype html><html><head><style>", self._sheet(size // 6), "</style></head>"]
        pieces.append(
            '<body bgcolor="#f4f4f4"><table width="100%" cellpadding="0" cellspacing="0" role="presentation">'
        )
        length = sum(map(len, pieces))
        while length < size:
            pieces.append(self._block())
            length += len(pieces[-1])
        return "".join([*pieces, "</table></body></html>"])

    def _colour(self) -> str:
        return f"#{self.random.randrange(1 << 24):06x}"

    def _sheet(self, size: int) -> str:
        rules = [
            "/* reset */\nbody,table,td,a{-webkit-text-size-adjust:100%;-ms-text-size-adjust:100%;}\n",
            "table,td{mso-table-lspace:0pt;mso-table-rspace:0pt;}\n#outlook a{padding:0;}\n",
            "@font-face{font-family:'News';src:url(https://fonts.shop.example/n.woff2) format('woff2');}\n",
        ]
        length, number = 0, 0
        while length < size * 2 // 3:
            number += 1
            pixels = self.random.randrange(10, 40)
            rules.append(
                f".mc{number}, td.mc{number}Text > p {{\n    color: {self._colour()};\n    font-size: {pixels}px;\n"
                f"    font-family: 'Helvetica Neue', Helvetica, Arial, sans-serif;\n    padding: 0 {pixels}px 9px;\n"
                f"    line-height: {100 + pixels}% !important;\n}}\n"
            )
            length += len(rules[-1])
        rules.append("@media only screen and (max-width: 480px) {\n")
        while length < size:
            rules.append(f"  .mc{self.random.randrange(number + 1)} {{ width: 100% !important; height: auto; }}\n")
            length += len(rules[-1])
        return "".join([*rules, "}\n"])

    def _block(self) -> str:
        number, wide = self.random.randrange(1, 90), self.random.randrange(200, 600)
        link = f"https://click.shop.example/{self._letters(24)}?utm_source=news&amp;utm_campaign={self._letters(8)}"
        words = html.escape(self.writer.text(15, 60))
        picture = f"https://img.shop.example/{self._letters(30)}.png"
        return (
            f'<tr><td align="center" valign="top" class="mc{number}" style="padding-top:{number}px;'
            "padding-right:18px;padding-bottom:9px;padding-left:18px;mso-line-height-rule:exactly;"
            f'background-color:{self._colour()};border-top:1px solid #EAEAEA"><table align="left" border="0" '
            'cellpadding="0" cellspacing="0" width="100%" style="max-width:100%;min-width:100%;'
            'border-collapse:collapse;mso-table-lspace:0pt;mso-table-rspace:0pt"><tbody><tr>'
            f'<td valign="top" style="width:{wide}px;word-break:break-word;color:{self._colour()};'
            "font-family:'Helvetica Neue',Helvetica,Arial,Verdana,sans-serif;font-size:16px;line-height:150%;"
            f'text-align:left"><a href="{link}" target="_blank" style="color:#007C89;font-weight:normal;'
            f'text-decoration:underline"><img alt="{words[:30]}" src="{picture}" '
            f'width="{wide}" style="max-width:{2 * wide}px;padding-bottom:0;display:inline !important;border:0;'
            f'height:auto;outline:none;text-decoration:none"></a><h3 style="margin:0;padding:0;color:#202020;'
            f'font-style:normal;letter-spacing:normal">{words[:40]}</h3><p style="margin:10px 0;padding:0">{words}'
            "&nbsp;&mdash;&nbsp;<strong>More</strong></p></td></tr></tbody></table></td></tr>\n"
        )


def _mailbox(person: Person) -> str:
    return f"{Header(person.name, 'utf-8').encode()} <{person.address}>" if person.name else person.address


def _part(kind: str, content: bytes, encoding: str) -> bytes:
    body = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body


def _multipart(kind: str, boundary: str, *parts: bytes) -> bytes:
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
    line = f"--{boundary}".encode()
    return head + b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"
