"""From a person to an object, scoped to what is theirs; anything else answers 404, never 403 (criterion S53).

Views take every object from here. A shared mailbox, once there is one, widens these functions and nothing else.
"""

from typing import Any, TypeVar
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, Q, QuerySet
from django.http import Http404

from accounts.models import Identity, MailAccount, OAuthProvider, User
from webmail.models import Action, Draft, Mailbox, Message, Outgoing, RemoteOp, Thread, Upload

T = TypeVar("T", bound=Model)
_SHOWN = (
    *("account_id", "name", "delimiter", "role", "phase", "total", "unread", "renumbered_at", "label", "labelled"),
    *("account__user_id", "account__label", "account__address", "account__protocol", "account__state"),
    *("account__error_code", "account__server_line", "account__last_sync_at", "account__incoming_id"),
    *("account__progress_done", "account__progress_total", "account__progress_rate"),
    *("account__progress_at", "account__progress_since"),
)
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
    return _one(mailboxes(user).select_related("account").only(*_SHOWN), pk=mailbox_id, account=account_id)


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


def upload(user: User, upload_id: int) -> Upload:
    return _one(Upload.objects.filter(user=user).select_related("draft"), pk=upload_id)


def outgoing(user: User, outgoing_id: int) -> Outgoing:
    return _one(Outgoing.objects.filter(user=user).select_related("account", "draft"), pk=outgoing_id)


def identities(user: User) -> QuerySet[Identity]:
    """The addresses the person may write as (criterion S58): verified ones of their own accounts."""
    return Identity.objects.filter(account__user=user, verified_at__isnull=False).select_related("account")


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
