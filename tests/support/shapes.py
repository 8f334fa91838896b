"""The shapes of real mail that are hard to show, as raw messages."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from email.message import EmailMessage

from tests.support.packing import attached, binary, compressed, message_properties, tnef, words

BELIEVED = "mx.receiver.example"
READER = "Maren Aas <maren@harbourlane.example>"
_numbers = itertools.count(1)


def letter(subject: str, sender: str = "Noor van Dijk <noor@studio.example>", to: str = READER) -> EmailMessage:
    """A message without content, dated in the order of its making."""
    number = next(_numbers)
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, to, subject
    made["Date"] = f"Mon, 23 Nov 2026 {8 + number // 60 % 12:02}:{number % 60:02}:00 +0000"
    made["Message-ID"] = f"<shape-{number}@studio.example>"
    return made


def _html(subject: str, html: str, sender: str = "Noor van Dijk <noor@studio.example>") -> bytes:
    made = letter(subject, sender)
    made.set_content(html, subtype="html")
    return made.as_bytes()


# --- right to left ---------------------------------------------------------------------------------------------------

_ARABIC = (
    "<div><p>مرحباً مارين،</p><p>أرفقت العرض النهائي للوحات الميناء. "
    "يرجى مراجعة <b>البند 4</b> (PDF, 2.4 MB) قبل يوم الخميس "
    "26/11/2026، والتأكد من أن الأسعار بالكرونة NOK صحيحة.</p><ul><li>لوحة المدخل الرئيسي: 12 × 3 متر</li>"
    "<li>لوحة الرصيف رقم 4 (Pier 4)</li></ul><blockquote>شكراً على ردكم السريع، سنبدأ العمل يوم الأحد.</blockquote>"
    "<p>مع خالص التحية،<br>ليلى حداد</p></div>"
)
_HEBREW = """שלום מארן,

קיבלתי את הקבצים של Pier 4 והכול נראה טוב. נשארו שתי שאלות:

1. האם השלט הגדול (3.20 מ') יותקן לפני ה-26/11?
2. מי מאשר את החשבונית INV-2026/114 בסך 12,400 NOK?

> תודה רבה על העזרה.
> נתראה ביום חמישי.

English words in between stay readable: see https://pier4.example/plans/rev-7 for the plan.

בברכה,
נועה לוי
"""


def arabic() -> bytes:
    return _html("رد: العرض النهائي للوحات الميناء (Pier 4)", _ARABIC, "ليلى حداد <layla@haddad-signs.example>")


def hebrew() -> bytes:
    made = letter("תשובה: השלטים של Pier 4 – שתי שאלות", "נועה לוי <noa@levi.example>")
    made.set_content(_HEBREW)
    return made.as_bytes()


# --- wide and designed -----------------------------------------------------------------------------------------------


def wide_table() -> bytes:
    """Fourteen columns of fixed width, as spreadsheets are pasted."""
    titles = ["Berth", "Ship", "Flag", "Length", "Beam", "Draught", "Cargo", "Tonnes", "ETA", "ETD", "Agent", "Pilot"]
    titles += ["Tugs", "Remarks"]
    head = "".join(f'<th width="120" style="width:120px;background:#1f4e78;color:#fff">{one}</th>' for one in titles)
    cells = ["4", "MV Nordic Heron", "NO", "182.4 m", "28.2 m", "9.1 m", "Kaolin", "22,400", "24 Nov 06:00"]
    cells += ["25 Nov 18:00", "Harbour Lane Shipping", "Yes", "2", "Needs shore power, confirmed by the agent"]
    row = "".join(f'<td width="120" nowrap style="width:120px;border:1px solid #999">{one}</td>' for one in cells)
    rows = f"<tr>{head}</tr>" + f"<tr>{row}</tr>" * 12
    table = f'<table width="1680" style="width:1680px;border-collapse:collapse">{rows}</table>'
    return _html("Berth plan for week 48", f"<p>Hello Maren,</p><p>the plan for next week:</p>{table}<p>Noor</p>")


def _newsletter(ground: str, sheet: str, ink: str, soft: str) -> str:
    button = "display:inline-block;background:#e4572e;color:#ffffff;padding:10px 18px;border-radius:4px"
    stories = "".join(
        f'<tr><td style="padding:18px 32px;border-top:1px solid {soft}">'
        f'<h2 style="margin:0 0 6px;font-size:19px;color:{ink}">{title}</h2><p style="margin:0;color:{soft}">'
        "Three paragraphs that nobody asked for, set with care and read on the ferry.</p></td>"
        f'<td width="140" style="padding:18px 32px 18px 0;border-top:1px solid {soft}">'
        f'<a href="https://slow-harbour.example/{at}" style="{button}">Read on</a></td></tr>'
        for at, title in enumerate(("The last lamplighter", "Fog signals, tested", "What the tide left"))
    )
    head = f'<h1 style="margin:0;color:{ink};font-size:30px">The Slow Harbour</h1>'
    return (
        f"<html><head><style>body{{background:{ground};margin:0}} .lead{{font-size:17px}}</style></head>"
        f'<body bgcolor="{ground}"><table width="100%" bgcolor="{ground}"><tr><td align="center" style="padding:24px">'
        f'<table width="640" bgcolor="{sheet}" cellpadding="0" cellspacing="0" style="width:640px;background:{sheet};'
        f'font-family:Georgia,serif"><tr><td colspan="2" style="padding:32px">{head}'
        f'<p class="lead" style="color:{ink}">Letter 212, with the lamps on.</p></td></tr>{stories}'
        f'<tr><td colspan="2" style="padding:24px 32px;font-size:12px;color:{soft}">You get this letter because you '
        "asked for it.</td></tr></table></td></tr></table></body></html>"
    )


def dark_newsletter() -> bytes:
    return _html("Letter 212, at night", _newsletter("#0d1117", "#161b22", "#f0f6fc", "#9aa5b1"))


def white_newsletter() -> bytes:
    return _html("Letter 212", _newsletter("#f4f4f0", "#ffffff", "#1d1d1f", "#6b6b6b"))


# --- calendar, packages, reports, protection -------------------------------------------------------------------------


def _calendar(method: str, *lines: str, subject: str) -> bytes:
    event = [
        "UID:harbour-planning@studio.example",
        "SUMMARY:Planning of the harbour signage: panels\\, lighting and everything that is still open at Pier 4",
        "LOCATION:Room Kestrel\\, Harbour Lane 14\\, 2nd floor (ring at the blue door)",
        "ORGANIZER;CN=Noor van Dijk:mailto:noor@studio.example",
        "ATTENDEE;CN=Maren Aas;PARTSTAT=NEEDS-ACTION:mailto:maren@harbourlane.example",
        *(f"ATTENDEE;CN=Guest {n};PARTSTAT={'ACCEPTED' if n % 2 else 'DECLINED'}:mailto:guest{n}@pier4.example"
          for n in range(11)),
        *lines,
    ]  # fmt: skip
    calendar = ["BEGIN:VCALENDAR", f"METHOD:{method}", "BEGIN:VEVENT", *event, "END:VEVENT", "END:VCALENDAR", ""]
    made = letter(subject)
    made.set_content("You are invited to the planning. Please answer by Friday.")
    made.add_alternative("\r\n".join(calendar), subtype="calendar", params={"method": method})
    return made.as_bytes()


def _times(day: int, month: int = 11) -> tuple[str, str]:
    zone, date = "TZID=America/New_York", f"2026{month}{day:02}"
    return f"DTSTART;{zone}:{date}T100000", f"DTEND;{zone}:{date}T113000"


def invitation() -> bytes:
    lines = ("SEQUENCE:0", "DTSTAMP:20261120T080000Z", "RRULE:FREQ=WEEKLY", *_times(28))
    return _calendar("REQUEST", *lines, subject="Invitation: planning")


def called_off_once() -> bytes:
    which = "RECURRENCE-ID;TZID=America/New_York:20261205T100000"
    lines = ("SEQUENCE:1", "DTSTAMP:20261121T080000Z", which, *_times(5, month=12))
    return _calendar("CANCEL", *lines, subject="Cancelled: planning on 5 December")


def winmail() -> bytes:
    rtf = (
        rb"{\rtf1\ansi{\fonttbl{\f0 Calibri;}}\f0 Dear Maren,\par\par the \b signed contract \b0 and both drawings are "
        rb"attached. Please \i return \i0 one copy.\par\par Regards\par Tomasz}"
    )
    files = [
        *attached(
            words(0x3707, "Contract, signed by both parties, final version 3.pdf"), binary(0x3701, b"%PDF-1.4 x")
        ),
        *attached(words(0x3707, "panel-drawing.dwg"), binary(0x3701, bytes(60_000))),
    ]
    package = tnef(message_properties(binary(0x1009, compressed(rtf))), *files)
    made = letter("Contract", "Tomasz Wilk <tomasz@pier4.example>")
    made.add_attachment(package, maintype="application", subtype="ms-tnef", filename="winmail.dat")
    return made.as_bytes()


_LONG = "agnes.a-rather-long-local-part-of-an-address@a-long-department-name.studio.example"
_UNKNOWN = (
    f"550 5.1.1 <{_LONG}>: Recipient address rejected: User unknown in virtual mailbox table; "
    "see https://help.studio.example/bounces?code=511"
)


def bounce() -> bytes:
    """RFC 3464, for three recipients, with a long answer of a server."""
    lines = ["Reporting-MTA: dns; mx.harbourlane.example", ""]
    for name, action, status, told in (
        (_LONG, "failed", "5.1.1", _UNKNOWN),
        ("bo@studio.example", "delayed", "4.2.2", "452 4.2.2 Mailbox full"),
        ("cleo@studio.example", "delivered", "2.0.0", "250 OK"),
    ):
        lines += [f"Final-Recipient: rfc822; {name}", f"Action: {action}", f"Status: {status}"]
        lines += [f"Diagnostic-Code: smtp; {told}", ""]
    text = (
        "This is the mail system at host mx.harbourlane.example.\r\n\r\nI'm sorry to have to inform you that your "
        "message could not\r\nbe delivered to one or more recipients."
    )
    original = (
        "Message-ID: <gone@harbourlane.example>\r\nSubject: The panels\r\nFrom: maren@harbourlane.example\r\n\r\n"
    )
    head = ["From: Mail Delivery System <MAILER-DAEMON@mx.harbourlane.example>", f"To: {READER}", "MIME-Version: 1.0"]
    head += ["Subject: Undelivered Mail Returned to Sender", "Date: Mon, 23 Nov 2026 09:00:00 +0000"]
    head += [f"Message-ID: <shape-{next(_numbers)}@mx.example>"]
    head += ["Content-Type: multipart/report; report-type=delivery-status; boundary=b", ""]
    parts = [("text/plain", text), ("message/delivery-status", "\r\n".join(lines)), ("text/rfc822-headers", original)]
    return _parts(head, parts)


def _parts(head: list[str], parts: list[tuple[str, str]]) -> bytes:
    body = "".join(f"\r\n--b\r\nContent-Type: {kind}\r\n\r\n{content}" for kind, content in parts)
    return ("\r\n".join(head) + body + "\r\n--b--\r\n").encode()


def _protected(subject: str, kind: str, parts: list[tuple[str, str]]) -> bytes:
    head = [f"{name}: {value}" for name, value in letter(subject).items()]
    return _parts([*head, "MIME-Version: 1.0", f"Content-Type: {kind}; boundary=b", ""], parts)


def signed_mail() -> bytes:
    kind = 'multipart/signed; micalg=sha-256; protocol="application/pkcs7-signature"'
    seal = 'application/pkcs7-signature; name="smime.p7s"\r\nContent-Transfer-Encoding: base64'
    text = "Dear Maren,\r\n\r\nthis one is signed. The signature stands in a part of its own.\r\n\r\nNoor\r\n"
    return _protected("Signed offer", kind, [("text/plain", text), (seal, "MIIB" * 40)])


def encrypted_mail() -> bytes:
    kind = 'multipart/encrypted; protocol="application/pgp-encrypted"'
    secret = "-----BEGIN PGP MESSAGE-----\r\n\r\n" + "hQEMA" * 12 + "\r\n-----END PGP MESSAGE-----\r\n"
    parts = [
        ("application/pgp-encrypted", "Version: 1\r\n"),
        ('application/octet-stream; name="encrypted.asc"', secret),
    ]
    return _protected("...", kind, parts)


# --- text, long things, strangers ------------------------------------------------------------------------------------

_URL = (
    "https://tracker.studio.example/"
    + "a-very-long-path-without-a-place-to-break/" * 4
    + "?token="
    + "0123456789abcdef" * 12
)


def plain() -> bytes:
    """format=flowed (RFC 3676) with quotes six deep, a long address of a page, code and a signature."""
    quotes = "".join(
        f"{'>' * deep} Words at depth {deep} that go on for longer than a line of text does on any \r\n"
        f"{'>' * deep} screen, and go on after the soft break.\r\n"
        for deep in range(6, 0, -1)
    )
    body = (
        "Hello Maren,\r\n\r\nthis paragraph was written on one line and has been broken softly so that \r\nit flows "
        "again on every \r\nwidth.\r\n\r\n"
        f"The file lies at {_URL} until Friday.\r\n\r\n"
        f"On Monday Amara wrote:\r\n{quotes}\r\nAnd below it an answer.\r\n\r\n"
        "    | a | table |\r\n    |---|-------|\r\n\r\n-- \r\nNoor van Dijk\r\nStudio Kestrel\r\n"
    )
    head = [f"{name}: {value}" for name, value in letter("Re: Re: Fwd: plain text").items()]
    head += ["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8; format=flowed", ""]
    return ("\r\n".join(head) + "\r\n" + body).encode()


def crowded() -> bytes:
    """A subject of one long word, sixty recipients, thirty files."""
    people = ", ".join(f"Person {n} of the Harbour Board <person.{n}@board.harbourlane.example>" for n in range(60))
    made = letter("Harbour" + "signage" * 40, to=READER)
    made["Cc"] = people
    made.set_content("All thirty of them, as you asked.\n")
    for n in range(30):
        name = f"panel-{n}-with-a-long-name-that-says-everything-about-it.pdf" if n % 3 else f"p{n}.png"
        made.add_attachment(b"x" * (1000 + 4999 * n), maintype="application", subtype="octet-stream", filename=name)
    return made.as_bytes()


def imitation() -> bytes:
    """A failed DMARC check, a look-alike of the reader's domain, links that lead elsewhere, pictures held back."""
    html = (
        '<p><img src="https://img.harbour1ane.example/logo.png" width="180" height="48" alt="Harbour Lane"></p>'
        "<p>Dear Maren,</p><p>your mailbox is nearly full. Mail that came in since Friday is held back.</p>"
        '<p><a href="https://login.harbour1ane.example/keep">https://mail.harbourlane.example/settings</a></p>'
        '<p><img src="https://img.harbour1ane.example/wide.png" width="900" height="200"></p>'
        '<img src="https://t.harbour1ane.example/open.gif" width="1" height="1">'
    )
    made = letter("Your mailbox is nearly full", "Harbour Lane Helpdesk <helpdesk@harbour1ane.example>")
    failed = "spf=fail smtp.mailfrom=harbour1ane.example; dmarc=fail (p=reject) header.from=harbour1ane.example"
    made["Authentication-Results"] = f"{BELIEVED}; {failed}"
    made["Reply-To"] = "desk@freepost.example"
    made.set_content(html, subtype="html")
    return made.as_bytes()


def receipt() -> bytes:
    """Asks for a receipt that would go elsewhere than where it came from, in more words than a phone's line holds."""
    made = letter("Please confirm")
    made["Return-Path"], made["Disposition-Notification-To"] = "<noor@studio.example>", "desk@freepost.example"
    made.set_content("Please confirm that you have read this.")
    return made.as_bytes()


def conversation(count: int) -> Iterator[bytes]:
    """Answers to answers, each quoting the one before."""
    before: list[str] = []
    for number in range(count):
        made = letter(
            "Re: " * bool(number) + "Where the panels go", f"Writer {number % 7} <w{number % 7}@pier4.example>"
        )
        if before:
            made["In-Reply-To"], made["References"] = before[-1], " ".join(before[-10:])
        quoted = f"\n\nOn Monday Writer {(number - 1) % 7} wrote:\n> Words of letter {number - 1}.\n" * bool(number)
        made.set_content(f"Words of letter {number}.\n\nThe panels stay where they are until the lamps are up.{quoted}")
        before.append(str(made["Message-ID"]))
        yield made.as_bytes()


SHAPES: dict[str, tuple[Callable[[], bytes], str]] = {
    "arabic": (arabic, "مرحباً مارين"),
    "hebrew": (hebrew, "שלום מארן"),
    "wide-table": (wide_table, "MV Nordic Heron"),
    "invitation": (invitation, "Please answer by Friday"),
    "winmail": (winmail, "signed contract"),
    "bounce": (bounce, "This is the mail system"),
    "dark-newsletter": (dark_newsletter, "The last lamplighter"),
    "white-newsletter": (white_newsletter, "The last lamplighter"),
    "plain": (plain, "it flows again"),
    "crowded": (crowded, "All thirty of them"),
    "signed": (signed_mail, "this one is signed"),
    "encrypted": (encrypted_mail, ""),
    "imitation": (imitation, "your mailbox is nearly full"),
}
