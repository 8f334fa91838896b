"""A small IMAP server that behaves like Gmail's (X-GM-EXT-1), over TLS on loopback, with `gmail_mail` behind it.

What sets it apart: folders are labels, COPYUID stands in the tagged answer, a space before the end of a command is
BAD, there is CONDSTORE and no QRESYNC, and All Mail may be hidden. ``Gmail.log`` keeps what clients asked.
"""

from __future__ import annotations

import re
import socketserver
import ssl
import threading
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from deploy.demo.imap.fetching import parse_items, pick_fields
from deploy.demo.imap.wire import Bad, No, Token, astring, atom, choose, compact, format_date_time, tokenize, words
from deploy.demo.structure import body_structure
from deploy.demo.tls import DemoCertificate, server_context
from deploy.demo.wiremime import parse_message
from tests.support.gmail_mail import SPECIAL, Folder, Mail, Mailboxes
from webmail.protocols.net import Endpoint

CAPABILITIES = (
    "IMAP4rev1 UNSELECT NAMESPACE ID CHILDREN X-GM-EXT-1 UIDPLUS ENABLE MOVE CONDSTORE LIST-EXTENDED LIST-STATUS "
    "SPECIAL-USE LITERAL- AUTH=PLAIN"
)
PASSWORD = "app password"
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n\Z")
_KEEPS_NUMBERS = {"FETCH", "STORE", "SEARCH"}
_X_GM = {"X-GM-MSGID", "X-GM-THRID", "X-GM-LABELS"}


class Gmail:
    """The server and its people's mail; stops with ``stop``."""

    def __init__(self, certificates: DemoCertificate) -> None:
        self.people: dict[str, Mailboxes] = {}
        self.log: list[str] = []
        self.capabilities = CAPABILITIES
        self._ca_pem = certificates.ca_pem
        context = server_context(certificates.cert, certificates.key)
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                try:
                    with context.wrap_socket(self.request, server_side=True) as sock:
                        Client(server, sock).serve()
                except (OSError, EOFError):
                    pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def endpoint(self) -> Endpoint:
        return Endpoint("localhost", self._server.server_address[1], "tls", allow_private=True, ca_pem=self._ca_pem)

    def add_user(self, address: str, **options: Any) -> Mailboxes:
        self.people[address] = Mailboxes(**options)
        return self.people[address]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass(slots=True)
class Client:
    """One connection."""

    server: Gmail
    sock: ssl.SSLSocket
    file: Any = None
    mail: Mailboxes | None = None
    folder: Folder | None = None
    uids: list[int] = field(default_factory=list)  # by sequence number, as the client knows them
    closing: bool = False

    def serve(self) -> None:
        file = self.file = self.sock.makefile("rb")
        self.say(f"* OK [CAPABILITY {self.server.capabilities}] Gimap ready for requests")
        while not self.closing:
            pieces = self._command(file)
            tag, _, rest = pieces[0].partition(b" ")
            self.server.log.append(b"".join([rest, *pieces[1:]]).decode("latin-1").strip())
            if tag.rstrip().upper() == b"DONE":
                continue
            self.say(f"{tag.decode()} {self._answer(pieces)}")

    def _command(self, file: Any) -> list[bytes]:
        pieces = []
        while True:
            line = file.readline()
            if not line:
                raise EOFError
            pieces.append(line)
            literal = _LITERAL.search(line)
            if literal is None:
                return pieces
            if not literal[2]:
                self.say("+ go ahead")
            pieces.append(file.read(int(literal[1])))

    def say(self, line: str | bytes) -> None:
        self.sock.sendall((line.encode("latin-1") if isinstance(line, str) else line) + b"\r\n")

    def _answer(self, pieces: list[bytes]) -> str:
        if pieces[-1].endswith(b" \r\n"):
            return "BAD Could not parse command"
        verb = ""
        try:
            tokens = tokenize(pieces)
            verb = atom(tokens[1]).upper()
            args = tokens[2:]
            if verb == "UID":
                verb = atom(args.pop(0)).upper()
                handler = _BY_UID[verb]
            else:
                handler = _HANDLERS[verb]
            if self.mail is None:
                answer = handler(self, args)
            else:
                with self.mail.lock:
                    answer = handler(self, args)
                    self._tell(numbers_may_change=verb not in _KEEPS_NUMBERS)
        except No as refusal:
            return f"NO {refusal}"
        except Bad as refusal:
            return f"BAD {refusal}"
        except (KeyError, IndexError):
            return f"BAD Unknown command {verb}"
        return f"OK {answer}"

    def _tell(self, *, numbers_may_change: bool) -> None:
        """News about the selected folder."""
        if self.folder is None:
            return
        if numbers_may_change:
            for at in range(len(self.uids) - 1, -1, -1):
                if self.uids[at] not in self.folder.uids:
                    del self.uids[at]
                    self.say(f"* {at + 1} EXPUNGE")
        fresh = [uid for uid in sorted(self.folder.uids) if uid > (self.uids[-1] if self.uids else 0)]
        if fresh:
            self.uids += fresh
            self.say(f"* {len(self.uids)} EXISTS")

    @property
    def boxes(self) -> Mailboxes:
        if self.mail is None:
            raise Bad("Not authenticated")
        return self.mail

    def open_folder(self) -> Folder:
        if self.folder is None:
            raise Bad("No mailbox selected")
        return self.folder

    def named(self, token: Token) -> Folder:
        name = astring(token).decode("latin-1")
        found = self.boxes.folders.get("INBOX" if name.upper() == "INBOX" else name)
        if found is None or found.name in self.boxes.hidden:
            raise No(f"[NONEXISTENT] Unknown Mailbox: {name} (Failure)")
        return found

    def chosen(self, token: Token) -> list[tuple[int, Mail]]:
        """The messages of a set of UIDs that the client knows and that are still here."""
        folder = self.open_folder()
        return [(uid, folder.uids[uid]) for uid in choose(atom(token), self.uids) if uid in folder.uids]


# --- signing in ------------------------------------------------------------------------------------------------------


def capability(client: Client, _: list[Token]) -> str:
    client.say(f"* CAPABILITY {client.server.capabilities}")
    return "Thats all she wrote!"


def login(client: Client, args: list[Token]) -> str:
    return _sign_in(client, astring(args[0]).decode(), astring(args[1]).decode())


def authenticate(client: Client, args: list[Token]) -> str:
    client.say("+ ")
    _, user, password = b64decode(client.file.readline()).decode().split("\0")
    return _sign_in(client, user, password)


def _sign_in(client: Client, user: str, password: str) -> str:
    if password != PASSWORD or user not in client.server.people:
        raise No("[AUTHENTICATIONFAILED] Invalid credentials (Failure)")
    client.mail = client.server.people[user]
    return f"[CAPABILITY {client.server.capabilities}] {user} authenticated (Success)"


def identify(client: Client, _: list[Token]) -> str:
    client.say('* ID ("name" "GImap" "vendor" "Google, Inc.")')
    return "Success"


def enable(client: Client, args: list[Token]) -> str:
    client.say(" ".join(["* ENABLED", *({atom(arg).upper() for arg in args} & {"CONDSTORE"})]))
    return "Success"


def namespace(client: Client, _: list[Token]) -> str:
    client.say('* NAMESPACE (("" "/")) NIL NIL')
    return "Success"


def noop(_: Client, __: list[Token]) -> str:
    return "Success"


def logout(client: Client, _: list[Token]) -> str:
    client.say("* BYE LOGOUT Requested")
    client.closing = True
    return "73 good day (Success)"


# --- folders ---------------------------------------------------------------------------------------------------------


def quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def list_(client: Client, args: list[Token]) -> str:
    status: tuple[str, ...] = ()
    options = words(args[3]) if len(args) > 3 else []
    for at, option in enumerate(options):
        if isinstance(option, list) and options[at - 1] == "STATUS":
            status = tuple(atom(item).upper() for item in option)
    client.say(r'* LIST (\HasChildren \Noselect) "/" "[Gmail]"')
    for folder in client.boxes.shown():
        attributes = " ".join(filter(None, ["\\HasNoChildren", SPECIAL.get(folder.name, "")]))
        client.say(f'* LIST ({attributes}) "/" {quoted(folder.name)}')
        if status:
            client.say(_status_line(client, folder, status))
    return "Success"


def status(client: Client, args: list[Token]) -> str:
    items = tuple(atom(item).upper() for item in words(args[1]))
    client.say(_status_line(client, client.named(args[0]), items))
    return "Success"


def _status_line(client: Client, folder: Folder, items: tuple[str, ...]) -> str:
    values = {
        "MESSAGES": len(folder.uids),
        "UIDNEXT": folder.uidnext,
        "UIDVALIDITY": folder.uidvalidity,
        "UNSEEN": sum("\\Seen" not in mail.flags for mail in folder.uids.values()),
        "HIGHESTMODSEQ": client.boxes.modseq,
    }
    return f"* STATUS {quoted(folder.name)} ({' '.join(f'{item} {values[item]}' for item in items)})"


def select(client: Client, args: list[Token]) -> str:
    return _open(client, args, "[READ-WRITE]")


def examine(client: Client, args: list[Token]) -> str:
    return _open(client, args, "[READ-ONLY]")


def _open(client: Client, args: list[Token], mode: str) -> str:
    client.folder = None
    folder = client.named(args[0])
    client.folder, client.uids = folder, sorted(folder.uids)
    client.say(r"* FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)")
    client.say(r"* OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags.")
    client.say(f"* OK [UIDVALIDITY {folder.uidvalidity}] UIDs valid.")
    client.say(f"* {len(client.uids)} EXISTS")
    client.say("* 0 RECENT")
    client.say(f"* OK [UIDNEXT {folder.uidnext}] Predicted next UID.")
    client.say(f"* OK [HIGHESTMODSEQ {client.boxes.modseq}]")
    return f"{mode} {folder.name} selected. (Success)"


def unselect(client: Client, _: list[Token]) -> str:
    client.folder = None
    return "Returned to authenticated state. (Success)"


def create(client: Client, args: list[Token]) -> str:
    name = astring(args[0]).decode("latin-1")
    if name in client.boxes.folders:
        raise No("[ALREADYEXISTS] Duplicate folder name (Failure)")
    client.boxes.create(name)
    return "Success"


def rename(client: Client, args: list[Token]) -> str:
    client.boxes.rename(client.named(args[0]).name, astring(args[1]).decode("latin-1"))
    return "Success"


def delete(client: Client, args: list[Token]) -> str:
    client.boxes.remove(client.named(args[0]).name)
    return "Success"


# --- messages --------------------------------------------------------------------------------------------------------


def fetch(client: Client, args: list[Token]) -> str:
    return _fetch(
        client, [client.uids[number - 1] for number in choose(atom(args[0]), range(1, len(client.uids) + 1))], args
    )


def uid_fetch(client: Client, args: list[Token]) -> str:
    return _fetch(client, choose(atom(args[0]), client.uids), args)


def _fetch(client: Client, uids: list[int], args: list[Token]) -> str:
    folder, names = client.open_folder(), [atom(item).upper() for item in words(args[1])]
    items = [atom(item) for item in words(args[1])]
    since = int(atom(words(args[2])[1])) if len(args) > 2 else -1
    if since >= 0 and "MODSEQ" not in names:
        items.append("MODSEQ")
    for uid in uids:
        mail = folder.uids.get(uid)
        if mail is not None and mail.modseq > since:
            values = b" ".join(_item(folder, uid, mail, item) for item in items)
            client.say(b"* %d FETCH (%b)" % (client.uids.index(uid) + 1, values))
    return "Success"


def _item(folder: Folder, uid: int, mail: Mail, item: str) -> bytes:
    name = item.upper()
    simple: dict[str, Callable[[], bytes]] = {
        "UID": lambda: b"%d" % uid,
        "FLAGS": f"({' '.join(sorted(mail.flags))})".encode,
        "INTERNALDATE": lambda: b'"' + format_date_time(mail.date) + b'"',
        "RFC822.SIZE": lambda: b"%d" % len(mail.raw),
        "MODSEQ": lambda: b"(%d)" % mail.modseq,
        "BODYSTRUCTURE": lambda: body_structure(parse_message(mail.raw)),
        "X-GM-MSGID": lambda: b"%d" % mail.msgid,
        "X-GM-THRID": lambda: b"%d" % mail.thrid,
        "X-GM-LABELS": lambda: _labels(folder, mail),
    }
    if name in simple:
        return name.encode() + b" " + simple[name]()
    section = parse_items([item])[0]
    root = parse_message(mail.raw)
    if section.text.upper().startswith("HEADER.FIELDS"):
        content = pick_fields(root.header_bytes, section.text)
    elif section.text.upper() == "HEADER":
        content = root.header_bytes
    else:
        content = mail.raw if not section.section else root.body_bytes
    start, length = section.partial or (0, len(content))
    shown = f"BODY[{section.section}]" + (f"<{start}>" if section.partial else "")
    piece = content[start : start + length]
    return shown.encode() + b" {%d}\r\n" % len(piece) + piece


def _labels(folder: Folder, mail: Mail) -> bytes:
    """System labels as Gmail writes them, every third other one as a literal; a folder's own label is not shown."""
    starred = {"\\Starred"} if "\\Flagged" in mail.flags else set()
    shown = []
    for number, label in enumerate(sorted((mail.labels | starred) - {folder.name})):
        if label == "\\Inbox" and folder.name == "INBOX":
            continue
        raw = label.encode("latin-1")
        if not label.startswith("\\") and number % 3 == 1:
            shown.append(b"{%d}\r\n%b" % (len(raw), raw))
        else:
            shown.append(quoted(label).encode("latin-1") if " " in label or label.startswith("\\") else raw)
    return b"(" + b" ".join(shown) + b")"


def uid_search(client: Client, args: list[Token]) -> str:
    spec = atom(args[1]) if atom(args[0]).upper() == "UID" else "1:*"
    client.say(" ".join(["* SEARCH", *(str(uid) for uid, _ in client.chosen(spec))]))
    return "SEARCH completed (Success)"


def uid_store(client: Client, args: list[Token]) -> str:
    verb = atom(args[1]).upper().removesuffix(".SILENT")
    mails = [mail for _, mail in client.chosen(args[0])]
    wanted = [astring(word).decode("latin-1") for word in words(args[2])]
    if verb[1:] == "X-GM-LABELS":
        client.boxes.relabel(mails, wanted, add=verb[0] == "+")
    elif verb[1:] == "FLAGS":
        client.boxes.flag(mails, wanted, add=verb[0] == "+")
    else:
        raise Bad("Could not parse command")
    if not atom(args[1]).upper().endswith(".SILENT"):
        folder = client.open_folder()
        for uid, mail in client.chosen(args[0]):
            client.say(
                b"* %d FETCH (UID %d %b)" % (client.uids.index(uid) + 1, uid, _item(folder, uid, mail, verb[1:]))
            )
    return "Success"


def uid_move(client: Client, args: list[Token]) -> str:
    return _carry(client, args, out_of=client.open_folder().name)


def uid_copy(client: Client, args: list[Token]) -> str:
    return _carry(client, args, out_of="")


def _carry(client: Client, args: list[Token], *, out_of: str) -> str:
    target, chosen = client.named(args[1]), client.chosen(args[0])
    for _, mail in chosen:
        client.boxes.put(mail, target.name, out_of=out_of)
    if not chosen:
        return "(Success)"
    sources, targets = [uid for uid, _ in chosen], [target.uid_of(mail) for _, mail in chosen]
    return f"[COPYUID {target.uidvalidity} {compact(sources)} {compact(targets)}] (Success)"


def uid_expunge(client: Client, args: list[Token]) -> str:
    marked = [uid for uid, mail in client.chosen(args[0]) if "\\Deleted" in mail.flags]
    client.boxes.expunge(client.open_folder(), marked)
    return "Success"


def append(client: Client, args: list[Token]) -> str:
    folder = client.named(args[0])
    flags = [atom(flag) for flag in words(args[1])] if isinstance(args[1], list) else []
    mail = client.boxes.deliver(astring(args[-1]), labels=(), flags=flags)
    client.boxes.put(mail, folder.name)
    return f"[APPENDUID {folder.uidvalidity} {folder.uid_of(mail)}] (Success)"


_HANDLERS: dict[str, Callable[[Client, list[Token]], str]] = {
    "CAPABILITY": capability,
    "LOGIN": login,
    "AUTHENTICATE": authenticate,
    "ID": identify,
    "ENABLE": enable,
    "NAMESPACE": namespace,
    "NOOP": noop,
    "LOGOUT": logout,
    "LIST": list_,
    "STATUS": status,
    "SELECT": select,
    "EXAMINE": examine,
    "UNSELECT": unselect,
    "CREATE": create,
    "RENAME": rename,
    "DELETE": delete,
    "SUBSCRIBE": noop,
    "UNSUBSCRIBE": noop,
    "FETCH": fetch,
    "APPEND": append,
}
_BY_UID: dict[str, Callable[[Client, list[Token]], str]] = {
    "FETCH": uid_fetch,
    "SEARCH": uid_search,
    "STORE": uid_store,
    "MOVE": uid_move,
    "COPY": uid_copy,
    "EXPUNGE": uid_expunge,
}
