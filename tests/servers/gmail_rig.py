"""What the tests against the Gmail-like server share: an account on it, both sides as values, the invariants."""

from __future__ import annotations

from accounts.models import MailAccount
from tests.servers.sync_rig import account_on, check_summaries, lock
from tests.support.gmail import PASSWORD, Gmail
from tests.support.gmail_mail import ALL, SPAM, TRASH, Mail, Mailboxes
from webmail.models import Flag, Mailbox, Message, Placement, RemoteOp
from webmail.services import targets
from webmail.services.ops import Spot

State = dict[str, dict[int, frozenset[str]]]  # folder → X-GM-MSGID → flags
READ = {ALL, TRASH, SPAM}


def gmail_account(gmail: Gmail, address: str) -> MailAccount:
    return account_on(gmail.endpoint(), address, password=PASSWORD)


def on_gmail(boxes: Mailboxes) -> State:
    """Every folder as the server shows it."""
    return {
        folder.name: {mail.msgid: frozenset(mail.flags) for mail in folder.uids.values()} for folder in boxes.shown()
    }


def here(account: MailAccount) -> State:
    """The same from the rows."""
    state: State = {}
    for box in Mailbox.objects.filter(account=account).exclude(phase__in=["gone", "unselectable"]):
        rows = Placement.objects.filter(mailbox=box, state=Placement.State.LIVE).select_related("message")
        found = {}
        for row in rows:
            assert row.message.email_id not in found
            found[int(row.message.email_id.removeprefix("gm:"))] = frozenset(
                {*(flag.wire for flag in Flag if flag & row.flags), *row.keywords}
            )
        assert len(found) == len(rows)  # nobody twice in a folder
        state[bytes(box.wire_name).decode()] = found
    return state


def check(boxes: Mailboxes, account: MailAccount) -> None:
    """Both sides equal, each message stored once, views derived and nothing else, nothing owed, summaries as anew."""
    ours, theirs = here(account), on_gmail(boxes)
    assert ours == theirs, {
        name: (ours.get(name), theirs.get(name)) for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)
    }
    assert not RemoteOp.objects.filter(account=account, state__in=["queued", "inflight"]).exists()
    live = Placement.objects.filter(account=account, state=Placement.State.LIVE)
    assert not live.exclude(pending_mask=0).exists()
    assert live.filter(origin=None).count() == len(boxes.mails)
    assert not live.filter(origin=None, uid=None).exists()
    assert not live.filter(origin__isnull=False, uid__isnull=False).exists()
    assert (
        Message.objects.filter(account=account).values("email_id").distinct().count()
        == Message.objects.filter(account=account).count()
    )
    for row in live.filter(mailbox__labelled=True):
        assert sorted(row.labels or []) == sorted(row.server_labels or [])
    check_summaries(account)


def box(account: MailAccount, name: str) -> Mailbox:
    return Mailbox.objects.get(account=account, wire_name=name.encode())


def spots(account: MailAccount, name: str, *mails: Mail) -> list[Spot]:
    """These messages (all without any) as a person ticks them in this folder."""
    rows = targets.in_mailbox(account.user, box(account, name))
    if mails:
        rows = rows.filter(message__email_id__in=[f"gm:{mail.msgid}" for mail in mails])
    return lock(rows)
