"""Messages with a form of their own: an invitation, a bounce, pictures inside the text, drafts."""

from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime

from deploy.demo.content.clock import Clock
from deploy.demo.content.compose import File, Letter, digest, mailbox, quote, to_html
from deploy.demo.content.files import make_file
from deploy.demo.content.pictures import picture
from deploy.demo.content.placing import Placed, received, sent
from deploy.demo.people import AMARA, AUTHSERV_ID, CHLOE, INGRID, MAREN, NOOR, PRIYA, SOFIA, TOMASZ, Person
from deploy.demo.smtp import delivery_trace

DAYS_AHEAD = 3
ZONE_NAME = "Harbour Lane"  # of the clock, which knows no summer


def place_special(clock: Clock) -> Iterator[Placed]:
    yield from _invitation(clock)
    yield from _bounce(clock)
    yield from _inline_pictures(clock)
    yield from _drafts(clock)


def _invitation(clock: Clock) -> Iterator[Placed]:
    """Quarterly planning in three days, with two answers already given (RFC 5546)."""
    when = clock.at(0, "10:31")
    start = clock.at(-DAYS_AHEAD, "10:00")
    text = (
        f"Quarterly planning\n{start:%A %d %B}, 10:00 to 11:30\nRoom Kestrel, or by video\n\n"
        "Hi all, one hour and a half should do. Please bring the numbers for your own corner, "
        "and one thing you would stop doing.\n\nNoor\n"
    )
    guests = (MAREN, TOMASZ, AMARA, INGRID)
    for owner, flags in ((MAREN, ("\\Seen",)), (TOMASZ, ())):
        letter = Letter(
            sender=NOOR,
            to=guests,
            subject="Invitation: Quarterly planning",
            when=when,
            text=text,
            html=to_html(text),
            calendar=_calendar(clock, guests),
        )
        yield received(letter, owner, folder="INBOX", flags=flags)


def _calendar(clock: Clock, guests: tuple[Person, ...]) -> str:
    start = clock.at(-DAYS_AHEAD, "10:00")
    answers = {TOMASZ: "ACCEPTED", AMARA: "ACCEPTED"}

    def stamp(hours: float) -> str:
        moment = start + timedelta(hours=hours)
        return f"{moment - (moment.utcoffset() or timedelta()):%Y%m%dT%H%M%SZ}"

    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Atelier Noor//Post 3//EN",
        "METHOD:REQUEST",
        "BEGIN:VTIMEZONE",
        f"TZID:{ZONE_NAME}",
        "BEGIN:STANDARD",
        "DTSTART:19700101T000000",
        "TZOFFSETFROM:+0100",
        "TZOFFSETTO:+0100",
        "END:STANDARD",
        "END:VTIMEZONE",
        "BEGIN:VEVENT",
        f"UID:{digest('planning', start.isoformat())}@ateliernoor.example",
        f"DTSTAMP:{stamp(-72)}",
        f"DTSTART;TZID={ZONE_NAME}:{start:%Y%m%dT%H%M%S}",
        f"DTEND;TZID={ZONE_NAME}:{start + timedelta(hours=1.5):%Y%m%dT%H%M%S}",
        "SUMMARY:Quarterly planning",
        "LOCATION:Room Kestrel\\, or by video",
        f"ORGANIZER;CN={NOOR.name}:mailto:{NOOR.address}",
        *(
            f"ATTENDEE;CN={guest.name};PARTSTAT={answers.get(guest, 'NEEDS-ACTION')};RSVP=TRUE:\r\n "
            f"mailto:{guest.address}"
            for guest in guests
        ),
        "DESCRIPTION:Please bring the numbers for your own corner\\,\r\n  and one thing you would stop doing.",
        "SEQUENCE:0",
        "STATUS:CONFIRMED",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "\r\n".join(lines) + "\r\n"


def _bounce(clock: Clock) -> Iterator[Placed]:
    """What came back (RFC 3464), and what had been sent."""
    nobody = Person("Leif Delivery", "leif@paperdelivery.example")
    text = (
        "Dear Leif,\n\nthank you for the umbrella in the rain. There is a book here with your name in it.\n\nTomasz\n"
    )
    lost = Letter(
        sender=TOMASZ, to=(nobody,), subject="Thank you for the umbrella", when=clock.at(7, "16:02"), text=text
    )
    yield sent(lost, TOMASZ)
    when = clock.at(7, "16:03")
    reason = "550 5.1.1 <leif@paperdelivery.example>: no such person; the drivers have no mail"
    mark = digest("bounce", lost.message_id)
    head = delivery_trace(sender="", recipient=TOMASZ.address, when=int(when.timestamp()))
    raw = f"""From: Mail Delivery <postmaster@{AUTHSERV_ID}>
To: {mailbox(TOMASZ)}
Subject: Undelivered: Thank you for the umbrella
Date: {format_datetime(when)}
Message-ID: <{mark}@{AUTHSERV_ID}>
In-Reply-To: {lost.message_id}
References: {lost.message_id}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="{mark}"

--{mark}
Content-Type: text/plain; charset=us-ascii

Your message could not be delivered to leif@paperdelivery.example.
The other server said:

    {reason}

--{mark}
Content-Type: message/delivery-status

Reporting-MTA: dns; {AUTHSERV_ID}
Arrival-Date: {format_datetime(lost.when)}

Final-Recipient: rfc822; leif@paperdelivery.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.paperdelivery.example
Diagnostic-Code: smtp; {reason}

--{mark}
Content-Type: text/rfc822-headers

From: {mailbox(TOMASZ)}
To: {mailbox(nobody)}
Subject: {lost.subject}
Date: {format_datetime(lost.when)}
Message-ID: {lost.message_id}

--{mark}--
"""
    yield Placed(TOMASZ, "INBOX", head + raw.replace("\r\n", "\n").replace("\n", "\r\n").encode(), when, ("\\Seen",))


def _contact_card(person: Person) -> File:
    """RFC 6350."""
    lines = (
        "BEGIN:VCARD",
        "VERSION:4.0",
        f"FN:{person.name}",
        "ORG:Marchand Photographie",
        "TITLE:Photographer",
        f"EMAIL:{person.address}",
        "TEL;VALUE=uri:tel:+33 5 55 55 01 42",
        "ADR;TYPE=work:;;4 quai du Phare;La Rochelle;;17000;France",
        "END:VCARD",
    )
    return File(
        name="card.vcf", media="text/vcard; charset=utf-8", content="".join(f"{line}\r\n" for line in lines).encode()
    )


def _inline_pictures(clock: Clock) -> Iterator[Placed]:
    """Pictures inside the HTML by cid: (RFC 2392), beside attached files; their sender asks for a receipt."""
    host = CHLOE.address.partition("@")[2]
    names = ("contact-dusk.png", "contact-quay.png")
    files = tuple(
        File(name=name, media="image/png", content=picture(name), content_id=f"{digest(name)}@{host}") for name in names
    )
    shown = "".join(
        f'<p><img src="cid:{file.content_id}" width="480" height="320" alt="{file.name}" style="border-radius:4px"></p>'
        for file in files
    )
    words = (
        "Two from this morning, before the wind.",
        "The first has the light, the second has the gull. You choose, I cannot.",
    )
    inside = f"<p>{words[0]}</p>{shown}<p>{words[1]}</p><p>Chloé</p>"
    page = f'<html><body style="font:15px Georgia,serif">{inside}</body></html>'
    for owner in (MAREN, TOMASZ):
        letter = Letter(
            sender=CHLOE,
            to=(MAREN, TOMASZ),
            subject="Light or gull?",
            when=clock.at(5, "08:12"),
            text=f"{words[0]}\n\n[picture]\n\n[picture]\n\n{words[1]}\n\nChloé\n",
            html=page,
            headers=(("Disposition-Notification-To", CHLOE.address),),
            files=(*files, _contact_card(CHLOE), make_file("contact-sheet.pdf")),
        )
        yield received(letter, owner, folder="INBOX")


def _drafts(clock: Clock) -> Iterator[Placed]:
    asked = "Would you draw a cover in eleven days?"
    drafts = (
        (
            MAREN,
            SOFIA,
            f"Re: {asked}",
            "Dear Sofia,\n\nyes. What kind of\n\n" + quote("Eleven days. I have cake."),
            1,
            "22:41",
        ),
        (
            MAREN,
            PRIYA,
            "What to bring in March",
            "Dear Priya,\n\nthree questions before I pack:\n\n- is the bed\n",
            6,
            "21:15",
        ),
        (TOMASZ, CHLOE, "The lamp pictures", "Dear Chloé,\n\nname your price.\n", 3, "09:20"),
        (TOMASZ, INGRID, "Holiday", "Ingrid,\n\nI have thought about it, and\n", 37, "18:58"),
    )
    for owner, to, subject, text, days, hour in drafts:
        letter = Letter(sender=owner, to=(to,), subject=subject, when=clock.at(days, hour), text=text)
        yield sent(letter, owner, folder="Drafts", flags=("\\Draft", "\\Seen"))
