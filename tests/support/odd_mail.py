"""Odd and hostile messages, small enough to be opened by the real pages; each shows something or says why not."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

from tests.support.packing import signed

HEAD = b"From: Noor <noor@studio.example>\r\nTo: alice@harbourlane.example\r\nDate: Fri, 27 Nov 2026 10:00:00 +0000\r\n"


def mail(name: str, rest: str | bytes, *, head: bytes = HEAD) -> bytes:
    """The fields, then ``rest``: further fields, a blank line and the body."""
    body = rest.encode() if isinstance(rest, str) else rest
    return (
        head
        + f"Subject: {name}\r\nMessage-ID: <{name.replace(' ', '.')}@odd.test>\r\nMIME-Version: 1.0\r\n".encode()
        + body
    )


def html(name: str, body: str) -> bytes:
    return mail(name, f"Content-Type: text/html; charset=utf-8\r\n\r\n{body}")


def parts(name: str, kind: str, *inside: str | bytes) -> bytes:
    pieces = [one.encode() if isinstance(one, str) else one for one in inside]
    body = b"".join(b"--b\r\n" + piece + b"\r\n" for piece in pieces) + b"--b--\r\n"
    return mail(name, f"Content-Type: {kind}; boundary=b\r\n\r\n".encode() + body)


def based(kind: str, data: bytes, name: str = "") -> bytes:
    called = f"; name={name}" if name else ""
    return f"Content-Type: {kind}{called}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode() + base64.encodebytes(
        data
    )


def report(*fields: str, original: str = "Message-ID: <x@y.test>\r\nSubject: old") -> bytes:
    status = "\r\n".join(["Reporting-MTA: dns; mx.test", "", *fields])
    kind = "multipart/report; report-type=delivery-status"
    return parts(
        "hostile report",
        kind,
        "\r\nIt failed.",
        f"Content-Type: message/delivery-status\r\n\r\n{status}",
        f"Content-Type: text/rfc822-headers\r\n\r\n{original}",
    )


def nested(depth: int) -> bytes:
    inner = b"Subject: innermost\r\n\r\nat the bottom\r\n"
    for number in range(depth):
        inner = b"Subject: level %d\r\nContent-Type: message/rfc822\r\n\r\n" % number + inner
    return HEAD + inner


EVIL = "https://evil.test"
RLO = "\u202e"
ODD: Mapping[str, Callable[[], bytes]] = {
    "opaque signed": lambda: mail(
        "opaque",
        based(
            "application/pkcs7-mime; smime-type=signed-data",
            signed(b"Content-Type: text/html\r\n\r\n<b>inside</b><script>x</script>"),
            "smime.p7m",
        ),
    ),
    "opaque signed nonsense": lambda: mail(
        "opaque nonsense", based("application/pkcs7-mime; smime-type=signed-data", b"\x30\x80" * 5_000, "smime.p7m")
    ),
    "signed in signed": lambda: mail(
        "signed twice",
        based(
            "application/pkcs7-mime; smime-type=signed-data",
            signed(
                based("application/pkcs7-mime; smime-type=signed-data", signed(b"Content-Type: text/plain\r\n\r\ndeep"))
            ),
        ),
    ),
    "enveloped": lambda: mail(
        "enveloped",
        based("application/pkcs7-mime; smime-type=enveloped-data", b"\x30\x82\x01\x00" + b"x" * 256, "smime.p7m"),
    ),
    "encrypted without parts": lambda: mail(
        "encrypted nothing", "Content-Type: multipart/encrypted; boundary=b\r\n\r\n"
    ),
    "signed without parts": lambda: mail(
        "signed nothing", "Content-Type: multipart/signed; boundary=b\r\n\r\n--b--\r\n"
    ),
    "signed, only a signature": lambda: parts(
        "only a signature",
        'multipart/signed; protocol="application/pgp-signature"',
        "Content-Type: application/pgp-signature\r\n\r\n-----BEGIN PGP SIGNATURE-----",
    ),
    "pgp inline": lambda: mail(
        "pgp inline",
        "Content-Type: text/plain\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA\r\n-----END PGP MESSAGE-----\r\n",
    ),
    "report with markup": lambda: report(
        'Final-Recipient: rfc822; "><script>alert(1)</script>@x.test',
        "Action: failed",
        "Status: 5.1.1",
        "Diagnostic-Code: smtp; 550 <img src=x onerror=alert(1)>\r\n\t{{7*7}}",
    ),
    "report of nobody": lambda: report("Action: ", "Status: x.y.z", "Final-Recipient: "),
    "report of 3,000": lambda: report(
        *[f"\r\nFinal-Recipient: rfc822; a{n}@x.test\r\nAction: failed\r\nStatus: 5.1.1" for n in range(3_000)]
    ),
    "report with an odd original": lambda: report(
        "Final-Recipient: rfc822; a@x.test", "Action: delayed", original="Message-ID: <" + "x" * 5_000 + "\r\n\tSubject"
    ),
    "report whose status is html": lambda: parts(
        "html status",
        "multipart/report; report-type=delivery-status",
        "Content-Type: text/html\r\n\r\n<b>no</b>",
        "Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!",
    ),
    "receipts for many": lambda: mail(
        "receipts",
        "Disposition-Notification-To: a@x.test, b@y.test,\r\n c@z.test\r\nDisposition-Notification-To: "
        "d@x.test\r\n\r\nplease",
    ),
    "receipt with a newline": lambda: mail(
        "receipt newline", "Disposition-Notification-To: =?utf-8?q?a=0D=0ABcc:_x=40y.test?= <a@x.test>\r\n\r\nplease"
    ),
    "receipt for nobody": lambda: mail("receipt nobody", "Disposition-Notification-To: undisclosed:;\r\n\r\nplease"),
    "cards without end": lambda: parts(
        "cards", "multipart/mixed", "\r\nhi", "Content-Type: text/vcard\r\n\r\n" + "BEGIN:VCARD\r\n" * 50_000
    ),
    "a card of 3 MB": lambda: parts(
        "large card",
        "multipart/mixed",
        "\r\nhi",
        "Content-Type: text/vcard\r\n\r\nBEGIN:VCARD\r\nFN:Noor\r\nPHOTO;ENCODING=b:"
        + "A" * 3_000_000
        + "\r\nEND:VCARD",
    ),
    "a card with addresses": lambda: parts(
        "card url",
        "multipart/mixed",
        "\r\nhi",
        "Content-Type: text/vcard\r\n\r\nBEGIN:VCARD\r\nVERSION:3.0\r\nFN:<script>x<"
        "/script>\r\nURL:javascript:alert(1)\r\nPHOTO;"
        "VALUE=uri:https://evil.test/p.png\r\nEMAIL:a@x.test\\nBcc: b@x.test\r\nEND:VCARD",
    ),
    "a card alone": lambda: mail(
        "card alone", "Content-Type: text/vcard; charset=utf-8\r\n\r\nBEGIN:VCARD\r\nFN:Noor\r\nEND:VCARD"
    ),
    "a card without name or mail": lambda: parts(
        "nameless card",
        "multipart/mixed",
        "\r\nhi",
        "Content-Type: text/vcard\r\n\r\nBEGIN:VCARD\r\nTEL:+49 30 1\r\nEND:VCARD",
    ),
    "a card of an organisation": lambda: mail(
        "firm card", "Content-Type: text/vcard\r\n\r\nBEGIN:VCARD\r\nORG:Pier 4\r\nEND:VCARD\r\n"
    ),
    "a calendar alone": lambda: mail(
        "calendar alone", "Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR"
    ),
    "winmail of nonsense": lambda: parts(
        "winmail",
        "multipart/mixed",
        "\r\nhi",
        based("application/ms-tnef", b"\x78\x9f\x3e\x22" + b"\xff" * 100_000, "winmail.dat"),
    ),
    "winmail that is empty": lambda: mail("winmail empty", based("application/ms-tnef", b"", "winmail.dat")),
    "messages 60 deep": lambda: nested(60),
    "message without anything": lambda: parts(
        "empty message", "multipart/mixed", "Content-Type: message/rfc822\r\n\r\n"
    ),
    "uuencode that lies": lambda: mail(
        "uuencode",
        "\r\nbefore\r\nbegin 644 ../../etc/passwd\r\nM" + "!" * 500 + "\r\n`\r\nend\r\nafter\r\nbegin 999 x\r\nno\r\n",
    ),
    "uuencode alone": lambda: mail("uuencode alone", "\r\nbegin 644 a.txt\r\n#86)C\r\n`\r\nend\r\n"),
    "yenc alone": lambda: mail(
        "yenc alone", "\r\n=ybegin line=128 size=3 name=a.txt\r\n\x8b\x8c\x8d\r\n=yend size=3\r\n"
    ),
    "flowed with delsp": lambda: mail(
        "flowed",
        "Content-Type: text/plain; format=flowed; delsp=yes; charset=utf-8\r\n\r\n> quoted \r\n> goes "
        "on\r\nこれは \r\n長い \r\n-- \r\nsignature \r\n" + "> " * 3_000 + "deep\r\n",
    ),
    "charset that is none": lambda: mail(
        "charset", 'Content-Type: text/plain; charset="x-\\"<script>"\r\n\r\nwords \xe4'
    ),
    "utf-16 that is not": lambda: mail("utf-16", "Content-Type: text/plain; charset=utf-16\r\n\r\nplain words"),
    "utf-16": lambda: mail(
        "utf-16 html",
        b"Content-Type: text/html; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes("<p>words<script>alert(1)</script>".encode("utf-16")),
    ),
    "utf-7 markup": lambda: mail(
        "utf-7", "Content-Type: text/html; charset=utf-7\r\n\r\n+ADw-script+AD4-alert(1)+ADw-/script+AD4-words"
    ),
    "ebcdic": lambda: mail(
        "ebcdic", b"Content-Type: text/plain; charset=cp037\r\n\r\n" + "words and words".encode("cp037")
    ),
    "charset punycode": lambda: mail("punycode", "Content-Type: text/plain; charset=idna\r\n\r\nxn--a words"),
    "charset hex": lambda: mail("hex", "Content-Type: text/plain; charset=hex\r\n\r\nzz words"),
    "charset rot13": lambda: mail(
        "rot13", "Content-Type: text/html; charset=rot13\r\n\r\n<fpevcg>nyreg(1)</fpevcg> words"
    ),
    "NUL in the middle": lambda: mail("nul", b"Content-Type: text/html\r\n\r\n<p>wo\0rds<scr\0ipt>alert(1)</script>"),
    "lone surrogates": lambda: mail(
        "surrogates", b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>words \xed\xa0\x80 &#xD800; &#x110000; &#0;"
    ),
    "bidi everywhere": lambda: parts(
        f"bidi {RLO}gnp.exe",
        "multipart/mixed",
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{RLO}sdrow",
        f'Content-Type: application/octet-stream; name="bill{RLO}fdp.exe"\r\nContent-Disposition: attachment\r\n\r\nx',
    ),
    "3,000 attachments": lambda: parts(
        "many files",
        "multipart/mixed",
        "\r\nhi",
        *["Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment\r\n\r\nx"] * 3_000,
    ),
    "10,000 attachments": lambda: parts(
        "very many files",
        "multipart/mixed",
        "\r\nhi",
        *["Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment\r\n\r\nx"] * 10_000,
    ),
    "alternative without text": lambda: parts(
        "alternative",
        "multipart/alternative",
        "Content-Type: application/pdf; name=a.pdf\r\n\r\nx",
        "Content-Type: image/png\r\n\r\nx",
    ),
    "alternative with an empty html": lambda: parts(
        "empty html",
        "multipart/alternative",
        "Content-Type: text/plain\r\n\r\nthe words",
        "Content-Type: text/html\r\n\r\n<html><body></body></html>",
    ),
    "alternative with an empty text": lambda: parts(
        "empty text",
        "multipart/alternative",
        "Content-Type: text/plain\r\n\r\n",
        "Content-Type: text/html\r\n\r\n<p>the words",
    ),
    "html of a picture that is not there": lambda: html("no picture", "<img src='cid:nothing'>"),
    "html of comments": lambda: html("comments", "<!-- only -->"),
    "html of a style": lambda: html("style", "<style>p{color:red}</style>"),
    "html without an end": lambda: html("no end", "<p>words <a href='https://x.test/"),
    "html in plain text": lambda: mail(
        "html as text", "Content-Type: text/plain\r\n\r\n<html><script>alert(1)</script><p>words"
    ),
    "hidden all": lambda: html("hidden", "<div style='display:none'>secret words</div>"),
    "white on white": lambda: html("white", "<body bgcolor=white text=white>words"),
    "svg and data": lambda: html(
        "svg",
        "<img src='data:image/svg+xml,<svg onload=alert(1)>'><img src='data:text/html,<script>alert(1)<"
        "/script>'><svg><image href='https://evil.test/x'/></svg><p>words",
    ),
    "a picture as data": lambda: html("data", "<img src='data:image/png;base64,iVBORw0KGgo='>"),
    "css that fetches": lambda: html(
        "css",
        "<style>@import 'https://evil.test/a.css';@import url(//evil.test/b);"
        "@font-face{src:url(https://evil.test/f)}a{background:image-set('https://evil.test/i' 1x);"
        "--x:url(https://evil.test/v);b:var(--x);back\\67round:url(https://evil.test/e);"
        "cursor:url(https://evil.test/c),auto;width:calc(1px*url(https://evil.test/z))}</style><p "
        "style='background:u\\72l(https://evil.test/q);list-style:url(https://evil.test/l);"
        "content:url(https://evil.test/m)'>words",
    ),
    "css over everything": lambda: html(
        "overlay",
        "<style>:root,html,body,*{position:fixed!important;inset:0;z-index:9;transform:scale(9);"
        "margin:-99px}</style><div style='posi\\74ion:fixed'>words",
    ),
    "base and refresh": lambda: html(
        "base",
        "<base href='https://evil.test/'><meta http-equiv=refresh content='0;url=https://evil.test/'><link "
        "rel=stylesheet href='https://evil.test/s'><link rel=prefetch href='https://evil.test/p'><a "
        "href='login'>words</a>",
    ),
    "forms": lambda: html(
        "forms",
        "<form action='https://evil.test/'><input name=a autofocus onfocus=alert(1)><button "
        "formaction='javascript:alert(1)'>go</button><textarea>words</textarea><select><option>pick</select><"
        "/form><isindex><dialog open>dialog words</dialog>",
    ),
    "clobbering": lambda: html(
        "clobber",
        "<a id=location name=location href='https://x.test/'>words</a><form id=document><input name=cookie><"
        "/form><img name=getElementById><p id=paper class=htmx-indicator hx-get='/x' data-hx-post='/y' _='on "
        "load'>more",
    ),
    "10,000 details": lambda: html(
        "details", "<details open ontoggle=alert(1)><summary>s</summary>w</details>" * 10_000
    ),
    "noscript and templates": lambda: html(
        "noscript",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript><template><img "
        "src='https://evil.test/t'></template><xmp><img src=x></xmp><plaintext>words",
    ),
    "mso conditionals": lambda: html(
        "mso",
        "<!--[if mso]><img src='https://evil.test/mso'><![endif]--><!--[if !mso]><!--><p>words</p><!--<"
        "![endif]--><![if !vml]><p>more</p><![endif]>",
    ),
    "links of all kinds": lambda: html(
        "links",
        "<a href='javascript:alert(1)'>a</a><a href=' java\nscript:alert(1)'>b</a><a href='//evil.test'>c<"
        "/a><a href='/admin/'>d</a><a href='https://user:pw@evil.test'>e</a><a "
        "href='mailto:a@b.test?attach=/etc/passwd&bcc=c@d.test' ping='https://evil.test/ping'>f</a><area "
        "href='https://evil.test'>",
    ),
    "odd header names": lambda: HEAD + b"Subject : spaced\r\nX: y\r\n: nothing\r\nno colon here\r\n\r\nwords",
    "no header at all": lambda: b"\r\nwords and nothing else",
    "nothing at all": lambda: b"",
    "only a newline": lambda: b"\r\n",
    "only NULs": lambda: b"\0" * 2_000,
    "mbox line first": lambda: b"From noor@studio.example Fri Nov 27 10:00:00 2026\r\n" + mail("mbox", "\r\nwords"),
    "dates of old": lambda: mail(
        "dates", "\r\nwords", head=HEAD.replace(b"27 Nov 2026 10:00:00 +0000", b"99 Foo 99999 99:99:99 +9999")
    ),
    "ids of odd kinds": lambda: (
        HEAD
        + b"Message-ID: <[x]>\r\nReferences: <a> <b"
        + b"<" * 2_000
        + b'\r\nIn-Reply-To: "quoted\r\nSubject: ids\r\n\r\nwords'
    ),
    "addresses of odd kinds": lambda: (
        HEAD.replace(b"To: ", b'To: ", (, <, ;:;, @, a@, @b, =?utf-8?q?=00?= <>, ').replace(b"noor@", b'"no or"@')
        + b"Cc: (c):\r\nSubject: addresses\r\n\r\nwords"
    ),
    "boundary of blanks": lambda: mail(
        "blanks", 'Content-Type: multipart/mixed; boundary="   "\r\n\r\n--   \r\n\r\nwords\r\n--   --\r\n'
    ),
    "boundary within boundary": lambda: mail(
        "within",
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; "
        "boundary=bb\r\n\r\n--bb\r\n\r\nwords\r\n--bb--\r\n--b--\r\n",
    ),
    "type of odd kinds": lambda: mail("type", 'Content-Type: TEXT/"html"; charset\r\n\r\n<b>words</b>'),
    "type that is none": lambda: mail("no type", "Content-Type: \r\n\r\nwords"),
    "type with a slash more": lambda: mail("slashes", "Content-Type: text/html/x\r\n\r\n<b>words</b>"),
    "external body": lambda: mail(
        "external",
        'Content-Type: message/external-body; access-type=URL; URL="https://evil.test/x"\r\n\r\n'
        "Content-Type: text/html\r\n\r\n",
    ),
    "partial": lambda: mail(
        "partial", 'Content-Type: message/partial; id="x"; number=2; total=3\r\n\r\nwords in the middle'
    ),
    "digest": lambda: parts(
        "digest", "multipart/digest", "\r\nSubject: one\r\n\r\nfirst words", "\r\nSubject: two\r\n\r\nsecond words"
    ),
    "appledouble": lambda: parts(
        "apple",
        "multipart/appledouble",
        "Content-Type: application/applefile; name=a.pdf\r\n\r\nx",
        "Content-Type: application/pdf; name=a.pdf\r\n\r\nx",
    ),
    "related that starts elsewhere": lambda: parts(
        "related",
        'multipart/related; start="<none>"',
        "Content-Type: image/png\r\nContent-ID: <p>\r\n\r\nx",
        "Content-Type: text/html\r\n\r\n<p>words<img src=cid:p>",
    ),
    "base64 that is none": lambda: mail(
        "not base64",
        "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nThese are words, and no base64: é!",
    ),
    "quoted-printable that is none": lambda: mail(
        "not qp",
        "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n100% = ==zz words =\r\n",
    ),
    "gzip": lambda: mail(
        "gzip", "Content-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Transfer-Encoding: x-gzip\r\n\r\nwords"
    ),
    "text of 1 MB without a blank": lambda: mail("long word", "Content-Type: text/plain\r\n\r\n" + "a" * 2**20),
    "a subject of 100,000": lambda: mail("subject", "\r\nwords", head=HEAD + b"Subject: " + b"a" * 100_000 + b"\r\n"),
    "a sender of 100,000": lambda: mail("sender", "\r\nwords", head=HEAD.replace(b"Noor", b"N" * 100_000)),
    "5,000 recipients": lambda: mail(
        "recipients",
        "\r\nwords",
        head=HEAD + b"Cc: " + b",\r\n ".join(b"a%d@x.test" % n for n in range(5_000)) + b"\r\n",
    ),
    "amp": lambda: parts(
        "amp",
        "multipart/alternative",
        "Content-Type: text/plain\r\n\r\nwords",
        "Content-Type: text/x-amp-html\r\n\r\n<script src='https://evil.test/amp.js'></script>",
    ),
    "html attached": lambda: parts(
        "html attached",
        "multipart/mixed",
        "\r\nwords",
        "Content-Type: text/html; name=a.html\r\nContent-Disposition: attachment\r\n\r\n<script>alert(1)</script>",
    ),
    "html attached alone": lambda: mail(
        "html alone",
        "Content-Type: text/html; name=a.html\r\nContent-Disposition: attachment; filename=a.html\r\n\r\n<"
        "script>alert(1)</script>words",
    ),
    "svg attached": lambda: parts(
        "svg attached",
        "multipart/mixed",
        "\r\nwords",
        "Content-Type: image/svg+xml; name=a.svg\r\n\r\n<svg onload=alert(1)>",
    ),
    "names of files": lambda: parts(
        "names",
        "multipart/mixed",
        "\r\nwords",
        *[
            f'Content-Type: application/octet-stream; name="{name}"\r\nContent-Disposition: attachment\r\n\r\nx'
            for name in (
                "../../x",
                "CON",
                ".htaccess",
                "a" * 3_000,
                "a\\\\b\\\\c",
                "",
                " ",
                "..",
                "x.html%00.pdf",
                "\u200b.exe",
            )
        ],
    ),
    "text encoded twice": lambda: mail(
        "twice",
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes("wörds".encode().decode("latin-1").encode()),
    ),
}
