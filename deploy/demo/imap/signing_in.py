"""Commands of every state and of sign-in: CAPABILITY, ID, ENABLE, LOGIN, AUTHENTICATE PLAIN, IDLE, LOGOUT."""

import asyncio
import binascii
import hmac
from base64 import b64decode

from deploy.demo.imap.session import CAPABILITIES, IDLE_TIMEOUT, Handler, Session
from deploy.demo.imap.wire import Bad, No, Token, astring, atom
from deploy.demo.store import Store


def verify(store: Store, address: str, password: str) -> int | None:
    """The account of a right address and password, else None; all three faces of the server ask here."""
    account = store.find_account(address)
    expected = store.password_of(account) if account is not None else ""
    right = hmac.compare_digest(expected.encode(), password.encode())
    return account if right and expected else None


async def capability(session: Session, _: list[Token]) -> str:
    session.send(f"* CAPABILITY {CAPABILITIES}")
    return "That is what I can do"


async def noop(_: Session, __: list[Token]) -> str:
    return "Nothing done"


async def identify(session: Session, _: list[Token]) -> str:
    session.send('* ID ("name" "Mailroom demo")')
    return "Pleased to meet you"


async def enable(session: Session, args: list[Token]) -> str:
    session.signed_in()
    enabled = {atom(arg).upper() for arg in args} & {"CONDSTORE"}
    session.condstore = session.condstore or bool(enabled)
    session.send(" ".join(["* ENABLED", *enabled]))
    return "Enabled"


async def login(session: Session, args: list[Token]) -> str:
    return _sign_in(session, astring(args[0]), astring(args[1]))


async def authenticate(session: Session, args: list[Token]) -> str:
    if atom(args[0]).upper() != "PLAIN":
        raise No("Only PLAIN is spoken here")
    if len(args) > 1:
        packed = astring(args[1])
    else:
        session.send("+ ")
        await session.writer.drain()
        packed = (await session.reader.readuntil(b"\n")).strip()
    if packed == b"*":
        raise Bad("Cancelled")
    try:
        _, user, password = b64decode(packed, validate=True).split(b"\0")
    except (binascii.Error, ValueError):
        raise Bad("That is not a PLAIN response") from None
    return _sign_in(session, user, password)


def _sign_in(session: Session, user: bytes, password: bytes) -> str:
    if session.account is not None:
        raise Bad("Already signed in")
    session.account = verify(session.store, user.decode("utf-8", "replace"), password.decode("utf-8", "replace"))
    if session.account is None:
        raise No("[AUTHENTICATIONFAILED] The address or the password is wrong")
    return f"[CAPABILITY {CAPABILITIES}] Welcome"


async def idle(session: Session, _: list[Token]) -> str:
    """Push news until the client says DONE (RFC 2177)."""
    session.signed_in()
    session.send("+ idling")
    done = asyncio.ensure_future(session.reader.readuntil(b"\n"))
    try:
        while not done.done():
            session.tell_news()
            await session.writer.drain()
            woken = asyncio.ensure_future(session.news.wait())
            finished, _pending = await asyncio.wait(
                (done, woken), timeout=IDLE_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
            )
            woken.cancel()
            if not finished:
                raise TimeoutError
        if done.result().strip().upper() != b"DONE":
            raise Bad("DONE was expected")
    finally:
        done.cancel()
    return "Idle no longer"


async def logout(session: Session, _: list[Token]) -> str:
    session.send("* BYE See you")
    session.closing = True
    return "Signed out"


HANDLERS: dict[str, Handler] = {
    "CAPABILITY": capability,
    "NOOP": noop,
    "CHECK": noop,
    "ID": identify,
    "ENABLE": enable,
    "LOGIN": login,
    "AUTHENTICATE": authenticate,
    "IDLE": idle,
    "LOGOUT": logout,
}
