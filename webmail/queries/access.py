"""From a person to an object, scoped to what is theirs; anything else answers 404, never 403 (criterion S53).

Views take every object from here. A shared mailbox, once there is one, widens these functions and nothing else.
"""

from typing import Any, TypeVar
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.http import Http404

from accounts.models import CardServer, Identity, MailAccount, OAuthProvider, User
from webmail.models import (
    Action,
    Contact,
    ContactGroup,
    Draft,
    Mailbox,
    MailMerge,
    Message,
    Outgoing,
    RemoteOp,
    TextTemplate,
    Thread,
    Upload,
)

from .columns import Columns

T = TypeVar("T", bound=Model)
_ACCOUNT = Columns(
    MailAccount,
    "account",
    (
        *("id", "user_id", "label", "address", "protocol", "state", "error_code", "server_line", "last_sync_at"),
        *("incoming_id", "progress_done", "progress_total", "progress_rate", "progress_at", "progress_since"),
    ),
)
_BOX = Columns(
    Mailbox,
    "box",
    (
        *("id", "account_id", "name", "delimiter", "role", "phase", "total", "unread", "subscribed", "renumbered_at"),
        *("label", "labelled"),
    ),
)
_RAIL = f"""
SELECT {_ACCOUNT.sql}, {_BOX.sql}
  FROM accounts_mailaccount AS account
  LEFT JOIN webmail_mailbox AS box ON box.account_id = account.id AND box.phase <> %s
 WHERE account.user_id = %s
 ORDER BY account.position, account.id
"""  # noqa: S608  column names of our models
_SHOWN = f"""
SELECT {_ACCOUNT.sql}, {_BOX.sql}
  FROM webmail_mailbox AS box JOIN accounts_mailaccount AS account ON account.id = box.account_id
 WHERE account.user_id = %s AND account.id = %s AND box.id = %s AND box.phase <> %s
"""  # noqa: S608  column names of our models
_OPENED = (
    *("subject", "merged_into_id", "account__user_id", "account__incoming_id"),
    *("account__incoming__host", "account__incoming__authentication_names"),
)


def accounts(user: User) -> QuerySet[MailAccount]:
    return MailAccount.objects.filter(user=user)


def account(user: User, account_id: int) -> MailAccount:
    return _one(accounts(user).select_related("incoming", "outgoing"), pk=account_id)


def mailboxes(user: User) -> QuerySet[Mailbox]:
    return Mailbox.objects.filter(account__user=user).exclude(phase=Mailbox.Phase.GONE)


def mailbox(user: User, mailbox_id: int, *, account_id: int | None = None) -> Mailbox:
    scope = mailboxes(user).select_related("account")
    return _one(scope, pk=mailbox_id) if account_id is None else _one(scope, pk=mailbox_id, account=account_id)


def shown_mailbox(user: User, mailbox_id: int, account_id: int) -> Mailbox:
    """The mailbox with what a page says of it and of its account; anything else is read when it is asked for."""
    with connection.cursor() as cursor:
        cursor.execute(_SHOWN, [user.pk, account_id, mailbox_id, Mailbox.Phase.GONE])
        found = cursor.fetchone()
    if found is None:
        raise Http404
    values = iter(found)
    account, box = _ACCOUNT.take(values), _BOX.take(values)
    box.account = account
    return box


def rail(user: User) -> list[tuple[MailAccount, list[Mailbox]]]:
    """The person's accounts in their order, each with its mailboxes, as far as the rail shows them."""
    with connection.cursor() as cursor:
        cursor.execute(_RAIL, [Mailbox.Phase.GONE, user.pk])
        rows = cursor.fetchall()
    found: dict[int, tuple[MailAccount, list[Mailbox]]] = {}
    for row in rows:
        values = iter(row)
        account = _ACCOUNT.take(values)
        _, boxes = found.setdefault(account.pk, (account, []))
        if box := _BOX.take_joined(values):
            boxes.append(box)
    return list(found.values())


def thread(user: User, thread_id: int) -> Thread:
    """The conversation, or the one it was merged into."""
    scope = Thread.objects.filter(account__user=user).select_related("account__incoming")
    found = _one(scope.only(*_OPENED), pk=thread_id)
    return found.merged_into or found


def message(user: User, message_id: int) -> Message:
    return _one(Message.objects.filter(account__user=user).select_related("account__incoming", "body"), pk=message_id)


def draft(user: User, draft_id: int) -> Draft:
    return _one(Draft.objects.filter(user=user).select_related("account", "identity", "original"), pk=draft_id)


def open_drafts(user: User, mailbox: Mailbox) -> QuerySet[Draft]:
    """What is being written, if the mailbox is where drafts of its account are shown."""
    scope = Draft.objects.filter(user=user, account=mailbox.account_id, closed_at=None)
    return scope if mailbox.role == Mailbox.Role.DRAFTS else scope.none()


def merge(user: User, draft_id: int) -> MailMerge:
    """The table that lies beside a draft of theirs."""
    return _one(MailMerge.objects.filter(user=user).select_related("draft__account__outgoing"), draft=draft_id)


def upload(user: User, upload_id: int) -> Upload:
    return _one(Upload.objects.filter(user=user).select_related("draft"), pk=upload_id)


def outgoing(user: User, outgoing_id: int) -> Outgoing:
    return _one(Outgoing.objects.filter(user=user).select_related("account", "draft"), pk=outgoing_id)


def contacts(user: User) -> QuerySet[Contact]:
    return Contact.objects.filter(user=user, removed_at=None)


def contact(user: User, contact_id: int) -> Contact:
    """One of the person's, removed as well."""
    return _one(Contact.objects.filter(user=user), pk=contact_id)


def contact_groups(user: User) -> QuerySet[ContactGroup]:
    return ContactGroup.objects.filter(user=user, removed_at=None)


def contact_group(user: User, group_id: int) -> ContactGroup:
    return _one(contact_groups(user), pk=group_id)


def card_server(user: User, server_id: int, *, removed: bool = False) -> CardServer:
    """One of the person's address book servers; ``removed``: one that was disconnected a moment ago."""
    scope = CardServer.objects.filter(user=user, removed_at__isnull=not removed)
    return _one(scope.select_related("user"), pk=server_id)


def text_template(user: User, template_id: int) -> TextTemplate:
    return _one(TextTemplate.objects.filter(user=user, removed_at=None), pk=template_id)


def identities(user: User) -> QuerySet[Identity]:
    """The addresses the person may write as (criterion S58): verified ones of their own accounts."""
    usable = Identity.objects.filter(account__user=user, verified_at__isnull=False, removed_at=None)
    return usable.select_related("account")


def any_identity(user: User, identity_id: int) -> Identity:
    """One of the person's, removed or to be confirmed as well."""
    return _one(Identity.objects.filter(account__user=user).select_related("account"), pk=identity_id)


def own_identities(user: User) -> QuerySet[Identity]:
    """Those, and the ones whose address is still to be confirmed."""
    return Identity.objects.filter(account__user=user, removed_at=None).select_related("account")


def identity(user: User, identity_id: int) -> Identity:
    return _one(identities(user), pk=identity_id)


def oauth_providers(user: User) -> QuerySet[OAuthProvider]:
    """Where the person may sign in to mail: what an administrator set up for their organisation or for everybody."""
    return OAuthProvider.objects.filter(Q(organisation=user.organisation_id) | Q(organisation=None))


def oauth_provider(user: User, provider_id: int) -> OAuthProvider:
    return _one(oauth_providers(user), pk=provider_id)


def action(user: User, action_id: UUID) -> Action:
    return _one(Action.objects.filter(user=user), pk=action_id)


def unsynced_op(user: User, op_id: int) -> RemoteOp:
    """An operation the server refused, or has not carried out yet."""
    done = [RemoteOp.State.DONE, RemoteOp.State.CANCELLED]
    return _one(RemoteOp.objects.filter(account__user=user).exclude(state__in=done), pk=op_id)


def _one(scope: QuerySet[T], **by: Any) -> T:
    try:
        return scope.get(**by)
    except (ObjectDoesNotExist, ValueError, OverflowError):
        raise Http404 from None
