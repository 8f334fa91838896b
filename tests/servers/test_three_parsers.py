"""What the composer writes, read back by three parsers that share nothing: all see the same, and what was written."""

from __future__ import annotations

import imaplib
import io
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from imapclient import IMAPClient

from accounts.models import MailAccount
from tests import factories
from tests.servers.sync_rig import other_client
from tests.support.dovecot import PASSWORD, Dovecot
from tests.support.gmime import by_gmime
from tests.support.readings import Part, Reading, by_dovecot, by_python
from webmail import storage
from webmail.mime.addresses import Address
from webmail.mime.build import Attachment, Composition, write_message
from webmail.models import Draft, Message, MessageBody, Outgoing, Upload, frozen
from webmail.services import drafts, outbox, redirecting

pytestmark = pytest.mark.django_db(transaction=True)

ANA = "Ana Åberg <ana@x.example>"
WORDS = "Both panels are in.\n\n> What about the third?\n\nIt comes on Monday – “surely”.\n"
ATTACHED = (
    b"From: =?utf-8?q?=C3=85se?= <ase@x.example>\r\nTo: me@x.example\r\nSubject: =?iso-8859-1?q?=C5se=27s?= plan\r\n"
    b"Message-ID: <inner@x.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n"
    b"--in\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"Sm\xc3\xb6rg\xc3\xa5s\r\n--in\r\nContent-Type: application/pdf; name=plan.pdf\r\n"
    b"Content-Disposition: attachment; filename=plan.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQ=\r\n"
    b"--in--\r\n"
)
PICTURE = ("one.png", "image/png", b"\x89PNG\r\n\x1a\n one")


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is typed into a composer, and the files put beside or into its text: name, type, octets."""

    to: str = ANA
    cc: str = ""
    bcc: str = ""
    subject: str = "Proofs"
    html: str = "<p>Here they are</p>"
    text: str = ""
    plain: bool = False
    files: tuple[tuple[str, str, bytes], ...] = ()
    pictures: tuple[tuple[str, str, bytes], ...] = ()
    references: tuple[str, ...] = field(default=())


def plain(text: str, **more: Any) -> Sheet:
    return Sheet(text=text, plain=True, html="", **more)


def file(name: str, octets: bytes = b"%PDF-1.4 \x00\xff\r\n.\r\n", kind: str = "application/pdf") -> Sheet:
    return plain("See the file.", files=((name, kind, octets),))


SHEETS: dict[str, Sheet] = {
    "plain": plain(WORDS),
    "html": Sheet(html="<p>Both <b>panels</b> are in.</p><blockquote>Åse wrote – “yes”</blockquote>"),
    "pictures in the text": Sheet(html="<p>Look</p>", pictures=(PICTURE, ("två.png", "image/png", b"\x89PNG two"))),
    "pictures and files": Sheet(
        html="<p>Look</p>",
        pictures=(PICTURE,),
        files=(("a.txt", "text/plain", b"words\r\n"), ("b.bin", "application/octet-stream", bytes(range(256)))),
    ),
    "a name beyond ASCII": file("Ångström – räkning №7.pdf"),
    "a name of emoji": file("🎉🎊 party 👩‍👩‍👧.pdf"),
    "a name in quotes": file("it's “the” 'plan'; v=2, 100%.pdf"),
    "a name in straight quotes": file('say "plan".pdf'),
    "a name of 300 characters": file("long name " * 29 + "at last.pdf"),
    "a name of 300 wide characters": file("計画" * 148 + ".pdf"),
    "a name that looks encoded": file("=?utf-8?q?plan?=.pdf"),
    "a file of nothing": file("empty.dat", b"", "application/octet-stream"),
    "a text file that is attached": file("notes.txt", "Sm\u00f6rg\u00e5s\n".encode("latin-1"), "text/plain"),
    "an attached message": file("Åse's plan.eml", ATTACHED, "message/rfc822"),
    "an attached message with endless lines": file(
        "odd.eml", b"From: a@x.example\r\n\r\n" + b"x" * 2000, "message/rfc822"
    ),
    "a domain beyond ASCII": plain(WORDS, to="Bo <bo@bücher.example>", cc="grüße <info@straße.example>"),
    "an address beyond ASCII": plain(WORDS, to="Дмитрий <дима@почта.example>, ana@x.example"),
    "names that need quotes": plain(
        WORDS, to='"Okafor, Amara (Pier 4)" <amara@x.example>, "A \\"B\\" C" <abc@x.example>'
    ),
    "long lines": plain("word " * 1500 + "end\n" + "x" * 5000),
    "text beyond Latin": plain("私たちは来ます。\n" * 50, subject="会議のお知らせ " * 12 + "終"),
    "eight bits of everything": plain(
        "".join(chr(code) for code in range(0xA0, 0x250)) + "\nFrom here\n.\n..\n--\n-- \nend"
    ),
    "nothing": plain("", subject=""),
    "nothing in HTML": Sheet(html=""),
    "a subject like an encoded word": plain(WORDS, subject="=?utf-8?q?no?= thanks"),
    "a subject with spaces": plain(WORDS, subject="two  spaces –  and three   more " * 6 + "end"),
    "an answer in a long conversation": plain(WORDS, references=tuple(f"{n:060d}@pier4.example" for n in range(60))),
    "five hundred people": plain(
        WORDS,
        to=", ".join(f"Person № {n} <person{n}@x.example>" for n in range(400)),
        cc=", ".join(f"p{n}@y.example" for n in range(100)),
    ),
    "only hidden people": plain(WORDS, to="", bcc="ana@x.example"),
}
NOT_LINES_OF_MAIL = {"an attached message with endless lines"}  # it cannot stand in another as it is


@pytest.fixture
def account() -> MailAccount:
    return factories.account(factories.user("Maren"))


@dataclass
class Reader:
    """Three readings of the same octets, compared."""

    client: IMAPClient
    contents: imaplib.IMAP4

    def agree(self, raw: bytes) -> Reading:
        """What all three read; the differences fail the test."""
        python, gmime, dovecot = by_python(raw), by_gmime(raw), self._dovecot(raw)
        assert gmime == python
        assert dovecot == python
        return python

    def _dovecot(self, raw: bytes) -> Reading:
        self.client.append("INBOX", raw)
        self.client.select_folder("INBOX", readonly=True)
        self.contents.select("INBOX", readonly=True)
        return by_dovecot(self.client, self.contents, self.client.search()[-1])


@pytest.fixture
def reader(dovecot: Dovecot) -> Iterator[Reader]:
    address = dovecot.add_user()
    context = ssl.create_default_context(cadata=dovecot.tls.ca_pem)
    with (
        IMAPClient("localhost", dovecot.ports.imaps, ssl=True, ssl_context=context) as client,
        other_client(dovecot, address) as contents,
    ):
        client.login(address, PASSWORD)
        yield Reader(client, contents)


def write(account: MailAccount, sheet: Sheet) -> Outgoing:
    """As the composer does: saved, files put beside it, sent."""
    original = answered(account, sheet.references) if sheet.references else None
    identity = account.identities.get()
    fields = drafts.Fields(
        identity,
        to=sheet.to,
        cc=sheet.cc,
        bcc=sheet.bcc,
        subject=sheet.subject,
        html=sheet.html,
        text=sheet.text,
        plain=sheet.plain,
    )
    mode = Draft.Mode.REPLY if original else Draft.Mode.NEW
    draft, _ = drafts.save(account.user, fields, mode=mode, original=original)
    html = sheet.html
    for name, kind, octets in (*sheet.pictures, *sheet.files):
        inline = (name, kind, octets) in sheet.pictures
        made = drafts.attach(draft, filename=name, content_type=kind, file=io.BytesIO(octets), inline=inline)
        html += f'<img src="cid:{made.content_id}">' if inline else ""
    if html != sheet.html:
        draft, _ = drafts.save(account.user, replace(fields, html=html), draft=draft, revision=draft.revision)
    return outbox.submit(draft)


def sent(made: Outgoing) -> bytes:
    """The octets that SMTP carries."""
    frozen.complete(made)
    return storage.read(made.account_id, made.digest)


def answered(account: MailAccount, references: tuple[str, ...]) -> Message:
    made = factories.message(factories.mailbox(account), message_id="parent@pier4.example").message
    Message.objects.filter(pk=made.pk).update(references=list(references))
    made.refresh_from_db()
    return made


def kinds(part: Part) -> Any:
    """The tree by its types."""
    return (part.kind, *map(kinds, part.parts)) if part.parts else part.kind


@pytest.mark.parametrize("name", SHEETS)
def test_all_read_what_was_written(account: MailAccount, reader: Reader, name: str) -> None:
    sheet = SHEETS[name]
    made = write(account, sheet)
    read = reader.agree(sent(made))
    assert (read.subject, read.message_id) == (sheet.subject, made.message_id)
    assert read.people["from"] == (("Maren", account.address),)
    assert read.people["bcc"] == ()
    recipients = list(made.recipients.exclude(kind="bcc").values_list("name", "address"))
    named = [*read.people["to"], *read.people["cc"]]
    assert [name for name, _ in named] == [name for name, _ in recipients]
    assert [address for _, address in named] == [in_ascii(address) for _, address in recipients]
    uploads = Upload.objects.filter(draft=made.draft, content_id="")
    assert [(part.filename, part.kind) for part in files(read.root)] == [
        (upload.filename, "application/octet-stream" if name in NOT_LINES_OF_MAIL else upload.content_type)
        for upload in uploads
    ]
    for part, (_, kind, octets) in zip(files(read.root), sheet.files, strict=True):
        assert kind == "message/rfc822" or part.content == octets
    if sheet.plain:
        text = unflowed(next(read.root.leaves()).content.decode())
        assert text.rstrip("\n") == sheet.text.rstrip("\n")


def files(root: Part) -> list[Part]:
    """What lies beside the text; not what is in an attached message."""
    return [part for part in (root, *root.parts) if part.disposition == "attachment"]


def in_ascii(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"


def unflowed(text: str) -> str:
    """RFC 3676: a line that ends in a space goes on in the next, but for the signature's mark."""
    lines: list[str] = []
    joins = False
    for stuffed in text.replace("\r\n", "\n").split("\n"):
        line = stuffed.removeprefix(" ")
        lines[-1:] = [lines[-1] + line] if joins else [*lines[-1:], line]
        joins = line.endswith(" ") and line != "-- "
    return "\n".join(lines)


@pytest.mark.parametrize(
    "name", ["x" * 296 + ".pdf", "計画" * 148 + ".pdf", 'say "plan" \\ 100%.pdf', "🎉 'a'; b=c.pdf", "é"]
)
def test_any_name_of_a_file_is_read_as_it_is(reader: Reader, name: str) -> None:
    """Also names that never get past the composer, which replaces quotes and shortens."""
    out = io.BytesIO()
    composition = Composition(
        from_=(Address(name="Maren", addr_spec="maren@x.example"),),
        subject="Proofs",
        message_id="proofs@x.example",
        date=factories.NOON,
        boundary_seed=b"0" * 16,
        text="See the file.",
        attachments=(Attachment(filename=name, content_type="application/pdf", data=b"%PDF", size=4),),
    )
    write_message(composition, out, keep_bcc=False)
    assert [part.filename for part in files(reader.agree(out.getvalue()).root)] == [name]


def test_a_sent_copy_names_whom_the_message_hides(account: MailAccount, reader: Reader) -> None:
    made = write(account, plain(WORDS, bcc="Bö <bo@x.example>, дима@почта.example"))
    copy = reader.agree(storage.read(account.pk, made.sent_copy_digest))
    assert copy.people["bcc"] == (("Bö", "bo@x.example"), ("", "дима@xn--80a1acny.example"))
    wire = reader.agree(sent(made))
    assert wire.people["bcc"] == ()
    assert wire.root == copy.root


def test_a_message_sent_on_is_read_as_its_original(account: MailAccount, reader: Reader) -> None:
    original = factories.message(factories.mailbox(account), text="x").message
    digest = storage.put(account.pk, ATTACHED)
    MessageBody.objects.filter(message=original).update(raw_digest=digest)
    made = redirecting.redirect(account.identities.get(), original, digest, to="Bö <bo@bücher.example>")
    raw = sent(made)
    read = reader.agree(raw)
    assert read == reader.agree(ATTACHED)
    assert raw.startswith(b"Resent-Date: ")
    assert b"<bo@xn--bcher-kva.example>\r\nResent-Message-ID: <" + made.message_id.encode() in raw


def test_trees_are_those_that_mail_programs_expect(account: MailAccount, reader: Reader) -> None:
    def tree(name: str) -> Any:
        return kinds(reader.agree(sent(write(account, SHEETS[name]))).root)

    related = ("multipart/related", "text/html", "image/png")
    assert tree("plain") == "text/plain"
    assert tree("html") == ("multipart/alternative", "text/plain", "text/html")
    assert tree("pictures in the text") == ("multipart/alternative", "text/plain", (*related, "image/png"))
    assert tree("pictures and files") == (
        "multipart/mixed",
        ("multipart/alternative", "text/plain", related),
        "text/plain",
        "application/octet-stream",
    )
    attached = ("message/rfc822", ("multipart/mixed", "text/plain", "application/pdf"))
    assert tree("an attached message") == ("multipart/mixed", "text/plain", attached)
