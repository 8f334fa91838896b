"""The demo's mail server, spoken to by ordinary clients over TLS on loopback."""

import poplib
import random
import smtplib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from deploy.demo.live import deliver
from deploy.demo.people import DEMO_PASSWORDS
from deploy.demo.tls import ensure_certificate

MAREN, TOMASZ, OLD = "maren@harbourlane.example", "tomasz@harbourlane.example", "maren@oldmail.example"
SMALL = b"From: a@b.example\r\nTo: c@d.example\r\nSubject: %b\r\nX-Long: one\r\n two\r\n\r\nHello\r\n.dot\r\n"


@dataclass(frozen=True)
class Demo:
    process: subprocess.Popen[str]
    ports: tuple[int, int, int]
    ca_pem: str

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.ca_pem)

    @contextmanager
    def imap(self, user: str = MAREN) -> Iterator[Any]:
        client = IMAPClient("localhost", port=self.ports[0], ssl_context=self.context, timeout=10)
        client.login(user, DEMO_PASSWORDS[user])
        try:
            yield client
        finally:
            client.shutdown()

    def pop(self, user: str = OLD) -> poplib.POP3_SSL:
        client = poplib.POP3_SSL("localhost", self.ports[1], context=self.context, timeout=10)
        client.user(user)
        client.pass_(DEMO_PASSWORDS[user])
        return client

    def smtp(self, user: str = TOMASZ) -> smtplib.SMTP_SSL:
        client = smtplib.SMTP_SSL("localhost", self.ports[2], context=self.context, timeout=10)
        client.login(user, DEMO_PASSWORDS[user])
        return client


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, below the range from which outgoing connections take theirs."""
    found: set[int] = set()
    while len(found) < count:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.add(port)
    return list(found)


def start(state: Path) -> Demo:
    imap, pop3, smtp = free_ports(3)
    made = ensure_certificate(state / "tls")
    command = [sys.executable, "-m", "deploy.demo.server", "--state", str(state), "--imap-port", str(imap)]
    command += ["--pop3-port", str(pop3), "--smtp-port", str(smtp), "--cert", str(made.cert), "--key", str(made.key)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    assert process.stdout.readline() == "demo mail ready\n"
    return Demo(process, (imap, pop3, smtp), made.ca_pem)


def stop(demo: Demo) -> int:
    demo.process.terminate()
    code = demo.process.wait(timeout=10)
    assert demo.process.stdout is not None
    demo.process.stdout.close()
    return code


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = start(tmp_path_factory.mktemp("demo"))
    yield running
    stop(running)


@pytest.fixture
def folder(demo: Demo, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"Test {request.node.name}"
    with demo.imap() as client:
        client.create_folder(name)
    yield name
    with demo.imap() as client:
        client.delete_folder(name)


def arrived(client: Any) -> list[Any]:
    """What IDLE pushes next."""
    return list(client.idle_check(timeout=10))


def letter(sender: str, recipient: str, subject: str) -> EmailMessage:
    message = EmailMessage(policy=policy.SMTP)
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    message.set_content("Grüße vom Kai\n.\n..\n")
    return message


def test_wrong_password_is_refused_on_every_face(demo: Demo) -> None:
    client = IMAPClient("localhost", port=demo.ports[0], ssl_context=demo.context, timeout=10)
    with pytest.raises(LoginError, match="AUTHENTICATIONFAILED"):
        client.login(MAREN, "no")
    client.shutdown()
    pop = poplib.POP3_SSL("localhost", demo.ports[1], context=demo.context, timeout=10)
    pop.user(OLD)
    with pytest.raises(poplib.error_proto, match="AUTH"):
        pop.pass_("no")
    pop.close()
    smtp = smtplib.SMTP_SSL("localhost", demo.ports[2], context=demo.context, timeout=10)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        smtp.login(MAREN, "no")
    smtp.close()


def test_accounts_that_only_receive_cannot_sign_in(demo: Demo) -> None:
    client = IMAPClient("localhost", port=demo.ports[0], ssl_context=demo.context, timeout=10)
    with pytest.raises(LoginError):
        client.login("amara@pier4.example", "")
    client.shutdown()


def test_authenticate_plain_with_and_without_initial_response(demo: Demo) -> None:
    client = IMAPClient("localhost", port=demo.ports[0], ssl_context=demo.context, timeout=10)
    client.plain_login(MAREN, DEMO_PASSWORDS[MAREN])
    assert client.folder_exists("Sent")
    client.logout()


def test_special_folders_and_names_in_other_scripts_are_listed(demo: Demo) -> None:
    with demo.imap() as client:
        listed = {name: flags for flags, _, name in client.list_folders()}
        assert b"\\Sent" in listed["Sent"]
        assert b"\\Junk" in listed["Spam"]
        assert b"\\HasChildren" in listed["Clients"]
        assert any(name.startswith("Räkenskap ") for name in listed)
        assert [name for _, _, name in client.list_folders("", "Clients/%")] == [
            "Clients/Atelier Noor",
            "Clients/Pier 4",
        ]


def test_list_returns_special_use_and_status_together(demo: Demo) -> None:
    with demo.imap() as client:
        client._imap._simple_command("LIST", '""', '"*"', "RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT))")
        statuses = client._imap.untagged_responses["STATUS"]
        assert len(statuses) == len(client._imap.untagged_responses["LIST"])
        assert statuses[0].startswith(b'"INBOX" (MESSAGES ')


def test_folder_is_created_renamed_with_its_children_and_deleted(demo: Demo) -> None:
    with demo.imap() as client:
        client.create_folder("日記/夏 & more")
        client.rename_folder("日記", "Diary")
        assert client.folder_exists("Diary/夏 & more")
        client.rename_folder("Diary", "Shelf/Diary")
        assert client.folder_exists("Shelf/Diary/夏 & more")
        client.rename_folder("Shelf/Diary", "Diary")
        client.delete_folder("Shelf")
        with pytest.raises(IMAPClientError, match="CANNOT"):
            client.delete_folder("Diary")
        client.delete_folder("Diary/夏 & more")
        client.delete_folder("Diary")
        assert not client.folder_exists("Diary")


def test_append_keeps_bytes_flags_and_date(demo: Demo, folder: str) -> None:
    with demo.imap() as client:
        answer = client.append(folder, SMALL % b"one", flags=[b"\\Seen", b"$Label1"])
        assert b"APPENDUID" in answer
        client.select_folder(folder)
        got = client.fetch([1], ["BODY.PEEK[]", "FLAGS", "RFC822.SIZE", "INTERNALDATE"])[1]
        assert got[b"BODY[]"] == SMALL % b"one"
        assert got[b"RFC822.SIZE"] == len(SMALL % b"one")
        assert set(got[b"FLAGS"]) == {b"\\Seen", b"$Label1"}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("BODY[HEADER.FIELDS (X-LONG SUBJECT)]", b"Subject: s\r\nX-Long: one\r\n two\r\n\r\n"),
        ("BODY[HEADER.FIELDS.NOT (X-LONG SUBJECT FROM)]", b"To: c@d.example\r\n\r\n"),
        ("BODY[TEXT]", b"Hello\r\n.dot\r\n"),
        ("BODY[1]", b"Hello\r\n.dot\r\n"),
        ("BODY[TEXT]<2>", b"llo"),
        ("BODY[2]", None),
    ],
)
def test_sections_give_the_bytes_they_name(demo: Demo, folder: str, section: str, expected: bytes | None) -> None:
    with demo.imap() as client:
        client.append(folder, SMALL % b"s")
        client.select_folder(folder, readonly=True)
        asked = section.replace("<2>", "<2.3>").replace("BODY[", "BODY.PEEK[")
        assert client.fetch([1], [asked])[1][section.encode()] == expected


def parts(structure: Any, path: str = "") -> Iterator[tuple[str, int]]:
    """The number and the size of every leaf of a parsed BODYSTRUCTURE."""
    if structure.is_multipart:
        for number, child in enumerate(structure[0], 1):
            yield from parts(child, f"{path}.{number}" if path else str(number))
    else:
        yield path or "1", structure[6]


def test_every_part_of_the_inbox_can_be_fetched_by_its_number(demo: Demo) -> None:
    with demo.imap() as client:
        client.select_folder("INBOX", readonly=True)
        for uid, got in client.fetch(client.search(["ALL"]), ["BODYSTRUCTURE", "BODY.PEEK[]"]).items():
            expected = [p for p in message_from_bytes(got[b"BODY[]"]).walk() if not p.is_multipart()]
            listed = list(parts(got[b"BODYSTRUCTURE"]))
            bodies = client.fetch([uid], [f"BODY.PEEK[{path}]" for path, _ in listed])[uid]
            for (path, size), part in zip(listed, expected, strict=True):
                raw = bodies[f"BODY[{path}]".encode()]
                assert len(raw) == size
                assert raw == str(part.get_payload()).encode("ascii", "surrogateescape")


def test_reading_marks_seen_and_peeking_does_not(demo: Demo, folder: str) -> None:
    with demo.imap() as client:
        client.append(folder, SMALL % b"s")
        client.select_folder(folder)
        assert client.fetch([1], ["BODY.PEEK[]", "FLAGS"])[1][b"FLAGS"] == ()
        assert client.fetch([1], ["BODY[TEXT]"])[1][b"FLAGS"] == (b"\\Seen",)


def test_changed_since_gives_only_what_changed(demo: Demo, folder: str) -> None:
    with demo.imap() as client:
        for number in range(3):
            client.append(folder, SMALL % str(number).encode())
        before = client.select_folder(folder)[b"HIGHESTMODSEQ"]
        client.add_flags([2], [b"\\Flagged"])
        changed = client.fetch([1, 2, 3], ["FLAGS"], modifiers=[f"CHANGEDSINCE {before}"])
        assert list(changed) == [2]
        assert changed[2][b"MODSEQ"] > (before,)


def test_search_finds_by_text_flag_date_and_combination(demo: Demo, folder: str) -> None:
    with demo.imap() as client:
        client.append(folder, SMALL % b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", flags=[b"\\Seen"])
        client.append(folder, SMALL % b"other")
        client.select_folder(folder)
        assert client.search(["SUBJECT", "grüße"], "UTF-8") == [1]
        assert client.search(["NOT", "SEEN"]) == [2]
        assert client.search(["OR", ["SUBJECT", "other"], ["SEEN"], "TEXT", "hello"]) == [1, 2]
        assert client.search(["SINCE", "01-Jan-2100"]) == []
        assert client.search(["HEADER", "X-Long", "one two"]) == [1, 2]


def test_extended_search_returns_a_range_and_a_count(demo: Demo, folder: str) -> None:
    with demo.imap() as client:
        for number in range(3):
            client.append(folder, SMALL % str(number).encode())
        client.select_folder(folder)
        client._imap._simple_command("UID", "SEARCH", "RETURN (MIN ALL COUNT)", "ALL")
        (line,) = client._imap.untagged_responses["ESEARCH"]
        assert line.endswith(b") UID MIN 1 ALL 1:3 COUNT 3")


def test_move_says_where_things_went(demo: Demo, folder: str) -> None:
    with demo.imap() as client:
        client.append(folder, SMALL % b"mover")
        client.create_folder(folder + "/below")
        client.select_folder(folder)
        client.move([1], folder + "/below")
        assert client.fetch([1], ["FLAGS"]) == {}
        assert client.select_folder(folder + "/below")[b"EXISTS"] == 1
        client.unselect_folder()
        client.delete_folder(folder + "/below")


def test_uid_expunge_takes_only_the_named_and_marked(demo: Demo, folder: str) -> None:
    with demo.imap() as client:
        for number in range(3):
            client.append(folder, SMALL % str(number).encode())
        client.select_folder(folder)
        client.delete_messages([1, 2], silent=True)
        client.uid_expunge([2, 3])
        assert client.search(["ALL"]) == [1, 3]


def test_idle_tells_what_another_session_does(demo: Demo, folder: str) -> None:
    with demo.imap() as watcher, demo.imap() as actor:
        actor.append(folder, SMALL % b"first")
        watcher.select_folder(folder)
        watcher.idle()
        actor.append(folder, SMALL % b"second")
        assert (2, b"EXISTS") in arrived(watcher)
        actor.select_folder(folder)
        actor.add_flags([1], [b"\\Flagged"])
        assert arrived(watcher)[0][:2] == (1, b"FETCH")
        actor.delete_messages([2])
        actor.expunge()
        assert (2, b"EXPUNGE") in arrived(watcher) + arrived(watcher)
        watcher.idle_done()


def test_store_with_unchanged_since_leaves_newer_ones_alone(demo: Demo, folder: str) -> None:
    with demo.imap() as client:
        client.append(folder, SMALL % b"one")
        old = client.select_folder(folder)[b"HIGHESTMODSEQ"]
        client.add_flags([1], [b"\\Flagged"])
        kind, _ = client._imap.uid("STORE", "1", f"(UNCHANGEDSINCE {old})", "+FLAGS.SILENT", "(\\Seen)")
        assert kind == "OK"
        assert client.get_flags([1])[1] == (b"\\Flagged",)


def test_nonsense_is_answered_with_bad_and_the_session_goes_on(demo: Demo) -> None:
    with demo.imap() as client:
        client.select_folder("INBOX", readonly=True)
        for verb in (
            "FETCH 1 (NONSENSE)",
            "FETCH 1 (FLAGS",
            "SEARCH BEFORE yesterday",
            "UID FLY 1",
            "COPY 1",
            "UID )",
        ):
            with pytest.raises(client._imap.error, match=r"BAD|READ-ONLY"):
                client._imap._simple_command(*verb.split(" ", 1))
        client.noop()


def test_submitted_mail_arrives_at_once_and_as_it_was(demo: Demo) -> None:
    sent = letter(f"Tomasz <{TOMASZ}>", MAREN, "Über den Kai")
    with demo.imap() as client:
        client.select_folder("INBOX")
        client.idle()
        with demo.smtp() as smtp:
            smtp.send_message(sent)
        assert any(line[1] == b"EXISTS" for line in arrived(client))
        client.idle_done()
        newest = client.search(["ALL"])[-1]
        raw = client.fetch([newest], ["BODY.PEEK[]"])[newest][b"BODY[]"]
        client.delete_messages([newest])
        client.expunge()
    got = message_from_bytes(raw, policy=policy.default)
    assert got["Return-Path"] == f"<{TOMASZ}>"
    assert "spf=pass" in got["Authentication-Results"]
    assert raw.endswith(sent.as_bytes())


def test_a_letter_dropped_in_arrives_in_the_inbox(demo: Demo) -> None:
    made = deliver(
        smtp_port=demo.ports[2], ca_pem=demo.ca_pem, to=OLD, subject="Tide", text="Out.\n", html="<p>Out.</p>"
    )
    with demo.imap(OLD) as client:
        client.select_folder("INBOX")
        (uid,) = client.search(["HEADER", "Message-ID", made])
        assert client.fetch([uid], ["FLAGS"])[uid][b"FLAGS"] == ()
        client.delete_messages([uid])
        client.expunge()


def test_recipients_and_senders_that_do_not_belong_are_refused(demo: Demo) -> None:
    with demo.smtp() as smtp:
        assert smtp.docmd("MAIL", f"FROM:<{MAREN}>")[0] == 553
        smtp.docmd("MAIL", f"FROM:<{TOMASZ}>")
        assert smtp.docmd("RCPT", "TO:<nobody@harbourlane.example>")[1].startswith(b"5.1.1")
        code, words = smtp.docmd("RCPT", "TO:<someone@outside.example>")
        assert (code, words[:5]) == (550, b"5.7.1")
        assert smtp.docmd("RCPT", "TO:<amara@pier4.example>")[0] == 250


def test_mail_is_not_taken_before_sign_in(demo: Demo) -> None:
    smtp = smtplib.SMTP_SSL("localhost", demo.ports[2], context=demo.context, timeout=10)
    with closing(smtp):
        smtp.ehlo()
        assert smtp.docmd("MAIL", f"FROM:<{TOMASZ}>")[0] == 530


def test_forged_authentication_results_are_taken_out(demo: Demo) -> None:
    forged = b"Authentication-Results: mail.harbourlane.example;\r\n dkim=pass\r\n" + SMALL % b"forged"
    with demo.smtp() as smtp:
        smtp.sendmail(TOMASZ, [TOMASZ], forged)
    with demo.imap(TOMASZ) as client:
        client.select_folder("INBOX")
        newest = client.search(["ALL"])[-1]
        raw = client.fetch([newest], ["BODY.PEEK[]"])[newest][b"BODY[]"]
        client.delete_messages([newest])
        client.expunge()
    assert len(message_from_bytes(raw).get_all("Authentication-Results", [])) == 1


def test_pop_gives_the_same_bytes_and_deletes_only_at_quit(demo: Demo) -> None:
    with demo.smtp() as smtp:
        smtp.send_message(letter(f"Tomasz <{TOMASZ}>", OLD, "dots"))
    pop = demo.pop()
    count, _ = pop.stat()
    uidl = pop.uidl()[1]
    assert len(set(uidl)) == count
    _, lines, _ = pop.retr(count)
    assert lines[-2:] == [b".", b".."]
    assert pop.top(count, 1)[1][-1] in lines
    pop.dele(count)
    pop.close()  # without QUIT nothing is deleted
    pop = demo.pop()
    assert pop.stat()[0] == count
    pop.dele(count)
    pop.quit()
    pop = demo.pop()
    assert pop.stat()[0] == count - 1
    assert pop.uidl()[1] == uidl[:-1]
    pop.quit()


def test_pop_lets_one_session_in_at_a_time(demo: Demo) -> None:
    pop = demo.pop()
    with pytest.raises(poplib.error_proto, match="IN-USE"):
        demo.pop()
    pop.quit()


def test_everything_is_there_after_a_restart_and_the_end_is_clean(tmp_path: Path) -> None:
    demo = start(tmp_path)
    with demo.imap() as client:
        client.append("Drafts", SMALL % b"kept", flags=[b"\\Draft"])
        before = client.folder_status("Drafts", ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "HIGHESTMODSEQ"])
        client.select_folder("INBOX")
        client.idle()
        assert stop(demo) == 0
    demo = start(tmp_path)
    with demo.imap() as client:
        assert client.folder_status("Drafts", ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "HIGHESTMODSEQ"]) == before
    assert stop(demo) == 0
