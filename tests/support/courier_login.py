"""Signs people in to the test run's Courier, then becomes Courier's own imapd or pop3d on the same connection.

    python -I courier_login.py imap|pop3 USERS PROGRAM

Run for each connection with the client on standard input and output. Courier's login programs ask an authentication
daemon on a socket whose path below /run is compiled in; a test's server must not need that. USERS is a folder with the
mail folder of each user; the password is in the environment. STARTTLS is not offered.
"""

import base64
import os
import sys
from pathlib import Path

_LINE = 8192


def say(*lines: str) -> None:
    os.write(1, "".join(f"{line}\r\n" for line in lines).encode())


def line() -> str:
    """The next line of the client, byte by byte, since what follows is for the program this becomes."""
    got = bytearray()
    while not got.endswith(b"\n") and len(got) < _LINE:
        byte = os.read(0, 1)
        if not byte:
            sys.exit()
        got += byte
    return got.decode("utf-8", "replace").rstrip("\r\n")


def home(users: Path, name: str, password: str) -> Path | None:
    """The user's folder when the password is right."""
    found = users / name.split("@", 1)[0]
    right = password == os.environ["TEST_PASSWORD"]
    return found if right and "/" not in name and not name.startswith(".") and found.is_dir() else None


def words(text: str) -> list[str]:
    """An IMAP line's atoms and quoted strings."""
    found, rest = [], text.strip()
    while rest:
        if rest.startswith('"'):
            word, at = "", 1
            while at < len(rest) and rest[at] != '"':
                at += rest[at] == "\\"
                word += rest[at : at + 1]
                at += 1
            rest = rest[at + 1 :].lstrip()
        else:
            word, _, rest = rest.partition(" ")
            rest = rest.lstrip()
        found.append(word)
    return found


def plain(answer: str) -> tuple[str, str]:
    """Name and password of a SASL PLAIN response (RFC 4616)."""
    parts = base64.b64decode(answer).decode().split("\0")
    return parts[1], parts[2]


def imap(users: Path) -> Path:
    """Until somebody is signed in (RFC 9051 section 6.2)."""
    offered = os.environ["IMAP_CAPABILITY"] + " AUTH=PLAIN"
    say(f"* OK [CAPABILITY {offered}] Courier-IMAP ready.")
    while True:
        tag, verb, *rest = [*words(line()), "", ""][:5]
        verb, rest = verb.upper(), [word for word in rest if word]
        if verb == "CAPABILITY":
            say(f"* CAPABILITY {offered}", f"{tag} OK CAPABILITY completed")
        elif verb in ("LOGIN", "AUTHENTICATE") and rest:
            name, password = rest[0], rest[-1]
            if verb == "AUTHENTICATE":
                if len(rest) == 1:
                    say("+ ")
                name, password = plain(rest[1] if len(rest) > 1 else line())
            found = home(users, name, password)
            if found is not None:
                os.environ["IMAPLOGINTAG"] = tag
                return found
            say(f"{tag} NO [AUTHENTICATIONFAILED] Login failed.")
        elif verb == "LOGOUT":
            say("* BYE Courier-IMAP server shutting down", f"{tag} OK LOGOUT completed")
            sys.exit()
        else:
            say(f"{tag} OK NOOP completed" if verb == "NOOP" else f"{tag} BAD Not before LOGIN.")


def pop3(users: Path) -> Path:
    """Until somebody is signed in (RFC 1939 section 4)."""
    say("+OK Hello there.")
    name = ""
    while True:
        verb, _, rest = line().partition(" ")
        if verb.upper() == "CAPA":
            say("+OK Here's what I can do:", "SASL PLAIN", "TOP", "USER", "UIDL", "PIPELINING", ".")
        elif verb.upper() == "USER":
            name = rest
            say("+OK Password required.")
        elif verb.upper() in ("PASS", "AUTH"):
            password = rest
            if verb.upper() == "AUTH":
                _, _, answer = rest.partition(" ")
                if not answer:
                    say("+ ")
                name, password = plain(answer or line())
            found = home(users, name, password)
            if found is not None:
                return found
            say("-ERR [AUTH] Login failed.")
        elif verb.upper() == "QUIT":
            say("+OK Better luck next time.")
            sys.exit()
        else:
            say("-ERR Not before signing in.")


def main() -> None:
    kind, users, program = sys.argv[1:]
    try:
        folder = (imap if kind == "imap" else pop3)(Path(users))
    except ConnectionError:
        return  # the client hung up
    os.chdir(folder)
    os.environ |= {"AUTHENTICATED": folder.name, "AUTHADDR": folder.name, "HOME": str(folder), "MAILDIR": "Maildir"}
    os.execv(program, [program, "Maildir"])


if __name__ == "__main__":
    main()
