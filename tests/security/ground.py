"""One person's whole world for the criteria, every text in it saying the same thing, and every address that names it.

`world` fills each column a page could show with a mark: a payload for the crawl, a name for the tests between tenants.
`addresses` is made from the URLconf: a route whose parameters nobody here can name fails every test that asks.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from accounts.admin.intents import BY_MODEL
from accounts.models import AuditEvent, CardServer, Identity, MailAccount, MailServer, OAuthProvider, Organisation, User
from tests import factories
from webmail import storage
from webmail.models import (
    Action,
    CardBook,
    CardLink,
    Contact,
    ContactGroup,
    Correspondent,
    Draft,
    Mailbox,
    Outgoing,
    OutgoingRecipient,
    Placement,
    RemoteOp,
    SignaturePicture,
    TextTemplate,
    Upload,
)
from webmail.queries.reading import frame_token


@dataclass
class World:
    user: User
    account: MailAccount
    inbox: Mailbox
    folder: Mailbox
    placement: Placement
    draft: Draft
    upload: Upload
    outgoing: Outgoing
    action: Action
    client: Client = field(default_factory=Client)

    @property
    def message_id(self) -> int:
        return self.placement.message_id

    @property
    def identity(self) -> Identity:
        return self.account.identities.get()


def administrator(name: str = "Root") -> tuple[User, Client]:
    """Somebody who runs the installation, signed in."""
    user = factories.user(name, "Operations", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user)
    return user, client


def world(name: str, mark: str, *, org: str = "", address: str = "") -> World:
    """Everything one person can own, `mark` in every text of it."""
    user = factories.user(name, org or f"{name} Works")
    User.objects.filter(pk=user.pk).update(name=mark)
    user.refresh_from_db()
    account = _account(user, mark)
    inbox, folder = factories.mailbox(account), factories.mailbox(account, "", f"Folder/{mark}")
    for role in ("trash", "archive", "junk", "sent", "drafts"):
        factories.mailbox(account, role)
    sender = (mark, address or f"{name.lower()}@elsewhere.example")
    placement = _message(inbox, mark, sender)
    factories.message(folder, subject=mark, sender=sender, text=mark)
    _failed_message(inbox, mark, sender)
    _refused(folder, mark)
    _contact(user, mark)
    draft = _draft(user, account, mark)
    upload = Upload.objects.create(
        user=user, account=account, draft=draft, filename=mark[:255], digest=_stored(account, mark)
    )
    made = World(user, account, inbox, folder, placement, draft, upload, _outgoing(user, account, mark), _action(user))
    now = timezone.now()
    words = mark.lower()[:300]
    Correspondent.objects.create(
        user=user, address=f"{mark[:80]}@x.example", name=mark[:200], search=words, last_at=now
    )
    AuditEvent.objects.create(
        organisation=user.organisation, actor=user, action="x", target=str(account)[:254], detail=mark
    )
    made.client.force_login(user)
    return made


def _account(user: User, mark: str) -> MailAccount:
    tomorrow = timezone.now() + timedelta(days=1)  # where workers run beside the test, they leave this one alone
    words = {"label": mark[:100], "server_line": mark, "state": "failing", "error_code": "protocol"}
    account = factories.account(user, **words, next_run_at=tomorrow)
    Identity.objects.filter(account=account).update(name=mark[:200], signature=mark)
    server_lines = {"host": f"{user.pk}{mark}"[:255], "domains": [mark[:255]]}
    MailServer.objects.create(organisation=user.organisation, protocol="pop3", port=995, **server_lines)
    OAuthProvider.objects.create(
        organisation=user.organisation,
        name=mark[:60],
        authorize_url="https://login.example/",
        token_url="https://login.example/token",
        client_id=mark[:300],
        scopes=mark[:500],
    )
    return account


def _stored(account: MailAccount, mark: str) -> str:
    return storage.put(account.pk, mark.encode())


def _part(path: str, account: MailAccount, mark: str, kind: str, role: str = "attachment") -> dict[str, Any]:
    return {
        "path": path,
        "type": kind,
        "charset": mark,
        "encoding": mark,
        "size": len(mark),
        "filename": mark,
        "disposition": mark,
        "cid": mark,
        "digest": _stored(account, mark),
        "role": role,
    }


def _message(box: Mailbox, mark: str, sender: tuple[str, str]) -> Placement:
    people = {kind: [[mark, sender[1]], [mark, mark]] for kind in ("from", "sender", "reply_to", "to", "cc", "bcc")}
    parts = [
        _part("2", box.account, mark, "image/png"),
        _part("3", box.account, mark, mark),
        _part("4", box.account, mark, "text/html"),
    ]
    placement = factories.message(
        box,
        subject=mark,
        sender=sender,
        text=mark,
        parts=parts,
        people=people,
        message_id=mark,
        in_reply_to=mark,
        references=[mark],
        list_id=mark,
        snippet=mark[:400],
        extra={"list_unsubscribe": mark, "warnings": [mark, "bidi"], "authentication_results": mark},
    )
    body = placement.message.body
    body.headers, body.problem, body.raw_digest = [[mark, mark]], mark[:200], _stored(box.account, mark)
    body.save()
    return placement


def _failed_message(box: Mailbox, mark: str, sender: tuple[str, str]) -> None:
    """One in the same conversation as none of the others, whose text could not be fetched."""
    placement = factories.message(box, subject=mark, sender=sender, text="x")
    body = placement.message.body
    body.state, body.error = "failed", mark[:500]
    body.save()


def _draft(user: User, account: MailAccount, mark: str) -> Draft:
    draft = Draft.objects.create(
        user=user,
        account=account,
        identity=account.identities.get(),
        to=mark,
        cc=mark,
        bcc=mark,
        subject=mark,
        html=mark,
        text=mark,
        plain=True,
    )
    stored = {"size": len(mark), "digest": _stored(account, mark)}
    Upload.objects.create(
        user=user, account=account, draft=draft, filename=mark[:255], content_type=mark[:255], **stored
    )
    return draft


def _outgoing(user: User, account: MailAccount, mark: str) -> Outgoing:
    digest = _stored(account, f"Subject: {mark}\r\n\r\n{mark}")
    outgoing = Outgoing.objects.create(
        user=user,
        account=account,
        identity=account.identities.get(),
        draft=_draft(user, account, mark),
        message_id=f"{uuid.uuid4()}@x.example",
        subject=mark,
        snippet=mark[:400],
        envelope_from=user.email,
        digest=digest,
        sent_copy_digest=digest,
        size=1,
        state="failed",
        send_after=factories.NOON,
        server_line=mark[:500],
        error_code="refused",
    )
    state = OutgoingRecipient.State.REFUSED
    OutgoingRecipient.objects.create(outgoing=outgoing, address=mark, name=mark, state=state, reply=mark[:500])
    return outgoing


def _contact(user: User, mark: str) -> None:
    """Somebody in a group, with a word of everything; and a template."""
    lists = {"mails": [mark[:320]], "numbers": [mark[:60]], "addresses": [mark[:300]]}
    words = {"name": mark[:200], "organisation": mark[:200], "role": mark[:200], "notes": mark}
    contact = Contact.objects.create(user=user, uid=str(uuid.uuid4()), sort=mark[:200], search=mark, **words, **lists)
    TextTemplate.objects.create(user=user, name=mark[:100], subject=mark[:500], html=mark)
    for identity in Identity.objects.filter(account__user=user):
        SignaturePicture.objects.create(
            identity=identity,
            filename=mark[:255],
            content_type="image/png",
            size=1,
            digest=_stored(identity.account, mark),
        )
    contact.groups.add(ContactGroup.objects.create(user=user, name=mark[:100]))
    _address_book(contact, mark)


def _address_book(contact: Contact, mark: str) -> None:
    """A server in trouble with an address book, in which the contact was changed on both sides and is refused."""
    server = CardServer.objects.create(
        user=contact.user,
        address=mark[:1000],
        username=mark[:254],
        state="failing",
        error_code="refused",
        server_line=mark[:500],
        next_run_at=timezone.now() + timedelta(days=1),
    )
    book = CardBook.objects.create(server=server, url="https://dav.example/", name=mark[:200], chosen=True)
    crossed = {"kind": "both", "fields": {"role": [mark, mark]}}
    CardLink.objects.create(
        book=book, contact=contact, href="/a.vcf", card=mark, problem=mark[:500], crossed=crossed, vanished=True
    )


def _action(user: User) -> Action:
    return Action.objects.create(user=user, kind="read", count=0)


def _refused(folder: Mailbox, mark: str) -> None:
    """A folder's change that the server refused in these words."""
    RemoteOp.objects.create(account=folder.account, kind="create", mailbox=folder, state="failed", error=mark[:500])


@dataclass(frozen=True, slots=True)
class Route:
    """One pattern of the URLconf, its namespaces before its name."""

    name: str
    path: str
    parameters: frozenset[str]

    @property
    def of_panel(self) -> bool:
        return self.path.startswith("admin/")


def routes() -> list[Route]:
    """Every address of the installation, the panel's included."""
    return list(_walk(get_resolver().url_patterns, ""))


def _walk(patterns: list[Any], before: str) -> Iterator[Route]:
    for pattern in patterns:
        text = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, text)
        elif isinstance(pattern, URLPattern):
            yield Route(pattern.name or text, text.replace("(?P<url>.*)$", "<path:url>"), _parameters(pattern))


def _parameters(pattern: URLPattern) -> frozenset[str]:
    return frozenset(getattr(pattern.pattern, "converters", {})) | frozenset(pattern.pattern.regex.groupindex)


def addresses(route: Route, of: World) -> list[str]:
    """The route's addresses with what belongs to that person; several where a parameter has several values."""
    found = [route.path]
    for name in sorted(route.parameters):
        marks = [part for part in route.path.split("/") if part.endswith(f"{name}>")]
        assert marks, f"{route.path}: no value is known for {name}"
        values = _values(route, name, of)
        found = [text.replace(marks[0], value) for text in found for value in values]
    return ["/" + text for text in found]


def _values(route: Route, name: str, of: World) -> list[str]:
    if route.of_panel:
        return _panel_values(route, name)
    contacts: list[object] = list(Contact.objects.filter(user=of.user).values_list("pk", flat=True))
    known: dict[str, list[object]] = {
        "account_id": [of.account.pk],
        "mailbox_id": [of.inbox.pk],
        "thread_id": list(Placement.objects.filter(mailbox=of.inbox).values_list("thread_id", flat=True)),
        "message_id": [of.message_id],
        "path": ["2", "3", "4"],
        "token": [frame_token(of.user, of.message_id)],
        "action_id": [of.action.pk],
        "draft_id": [of.draft.pk],
        "contact_id": contacts,
        "server_id": list(CardServer.objects.filter(user=of.user).values_list("pk", flat=True)),
        "group_id": list(ContactGroup.objects.filter(user=of.user).values_list("pk", flat=True)),
        "template_id": list(TextTemplate.objects.filter(user=of.user).values_list("pk", flat=True)),
        "ids": [".".join(str(pk) for pk in contacts)],
        "upload_id": list(of.draft.uploads.values_list("pk", flat=True)),
        "identity_id": list(of.account.identities.values_list("pk", flat=True)),
        "picture_id": list(
            SignaturePicture.objects.filter(identity__account__user=of.user).values_list("pk", flat=True)
        ),
        "outgoing_id": [of.outgoing.pk],
        "op_id": list(RemoteOp.objects.filter(account=of.account).values_list("pk", flat=True)),
        "provider_id": list(
            OAuthProvider.objects.filter(organisation=of.user.organisation).values_list("pk", flat=True)
        ),
        "do": ["undo", "edit", "retry", "settle"],
        "action": ["sync", "pause", "resume"],
    }
    return [str(value) for value in known[name]]


def _panel_values(route: Route, name: str) -> list[str]:
    if name == "url":
        return ["accounts/credential/"]
    models: dict[str, type[Model]] = {
        "mailaccount": MailAccount,
        "organisation": Organisation,
        "user": User,
        "mailserver": MailServer,
        "oauthprovider": OAuthProvider,
        "auditevent": AuditEvent,
    }
    model = models[route.path.split("/")[2]]
    if name == "name":
        return list(BY_MODEL.get(model, {})) or ["none"]
    assert name in ("pk", "object_id"), name
    return [str(pk) for pk in model._default_manager.order_by("-pk").values_list("pk", flat=True)[:3]]


def every_row() -> dict[str, list[Any]]:
    """All tables as they stand, sessions and Django's own included."""
    return {model._meta.label: list(model._base_manager.order_by("pk").values_list()) for model in apps.get_models()}
