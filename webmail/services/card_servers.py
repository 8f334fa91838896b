"""A person's address book servers: connected, chosen from, asked again, disconnected. Workers do what is written."""

from datetime import timedelta

from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.db.models.functions import Least
from django.utils import timezone

from accounts.models import CardServer, User
from accounts.services import audit, card_state, credentials
from webmail.jobs import Job, enqueue_on_commit
from webmail.models import CardBook, CardLink, Contact

State = CardServer.State
MOST = 10  # servers of one person
SOON = timedelta(seconds=5)  # after a change here: whoever edits one contact often edits it twice
REMOVAL_DUE = timedelta(seconds=31)  # when its Undo is past
LAST_TRY = 2  # refusals of a password that leave it one more


class TooMany(Exception):
    """The person has as many servers as one may have."""


@transaction.atomic
def connect(user: User, *, address: str, username: str, password: str) -> CardServer:
    """The server, its address books being looked for. Raises TooMany."""
    if CardServer.objects.filter(user=user, removed_at=None).count() >= MOST:
        raise TooMany
    server = CardServer.objects.create(user=user, address=address, username=username)
    credentials.store_card_password(server, password)
    audit.record(user, "address book server connected", target=address[:254])
    enqueue_on_commit(Job.SYNC_CARDS, server.pk)
    return server


@transaction.atomic
def sign_in(server: CardServer, *, address: str, username: str, password: str) -> None:
    """Another password, user name, or, while nothing was found yet, address."""
    if not server.books.exists():
        server.address, server.home = address, ""
    server.username = username
    server.save(update_fields=["address", "home", "username"])
    credentials.store_card_password(server, password)
    _clean_slate(server, refused_logins=0)


def sync_now(server: CardServer) -> bool:
    """Due now, one more try for a refused password included; False while the server wants to be left alone."""
    if server.resting:
        return False
    with transaction.atomic():
        CardLink.objects.filter(book__server=server).exclude(problem="").update(problem="", problem_at=None)
        _clean_slate(server, refused_logins=Least(F("refused_logins"), LAST_TRY))
    return True


def _clean_slate(server: CardServer, *, refused_logins: object) -> None:
    now = timezone.now()
    state = State.WORKING if server.last_sync_at else State.NEW
    found = CardServer.objects.filter(pk=server.pk, removed_at=None)
    found.exclude(state__in=[State.CHOOSING, State.WORKING]).update(state=state, error_code="", server_line="")
    found.update(refused_logins=refused_logins, failures=0, next_run_at=now, woken_at=now)
    enqueue_on_commit(Job.SYNC_CARDS, server.pk)


@transaction.atomic
def choose(server: CardServer, books: list[int], *, takes_new: int | None, also_here: bool) -> None:
    """Which address books are followed, and into which one contacts made here go. Contacts of the others stay, and what
    becomes of them is no change to those: chosen again, a book is compared as if for the first time.
    """
    CardServer.objects.select_for_update().get(pk=server.pk)  # no pass writes meanwhile
    mine = CardBook.objects.filter(server=server)
    dropped = mine.filter(chosen=True).exclude(pk__in=books)
    CardLink.objects.filter(book__in=dropped).delete()
    dropped.update(chosen=False, takes_new=False, token="", ctag="", compared_at=None, unfit=0)
    mine.filter(pk__in=books).update(chosen=True)
    before = mine.filter(takes_new=True).values_list("pk", flat=True).first()
    if takes_new in books and takes_new is not None:
        CardBook.objects.filter(server__user=server.user_id).exclude(pk=takes_new).update(takes_new=False)
        newest = Contact.objects.filter(user=server.user_id).aggregate(newest=Max("pk"))["newest"] or 0
        if also_here or before != takes_new:
            mine.filter(pk=takes_new).update(takes_new=True, takes_after=0 if also_here else newest)
    else:
        mine.update(takes_new=False)
    CardServer.objects.filter(pk=server.pk, state=State.CHOOSING).update(
        state=State.WORKING if books else State.CHOOSING
    )
    _clean_slate(server, refused_logins=F("refused_logins"))


@transaction.atomic
def disconnect(server: CardServer, *, take: bool) -> int:
    """Forgotten here, nothing changed there. With ``take`` what lies there goes from here too; returns how many."""
    now = timezone.now()
    CardServer.objects.filter(pk=server.pk, removed_at=None).update(removed_at=now, took_contacts=take)
    audit.record(server.user, "address book server disconnected", target=server.address[:254])
    return _there(server).filter(removed_at=None).update(removed_at=now, changed_at=now) if take else 0


@transaction.atomic
def reconnect(server: CardServer) -> bool:
    """Undo of that, as long as it is not forgotten."""
    when = server.removed_at
    if when is None or not CardServer.objects.filter(pk=server.pk, removed_at=when).update(removed_at=None):
        return False
    if server.took_contacts:
        # as they were: what the sync knew of them holds again
        back = _there(server).filter(removed_at=when)
        for link in CardLink.objects.filter(contact__in=back, known_at__isnull=False).select_related("contact"):
            assert link.contact is not None
            Contact.objects.filter(pk=link.contact.pk).update(removed_at=None, changed_at=link.known_at)
        back.update(removed_at=None, changed_at=timezone.now())
    _clean_slate(server, refused_logins=F("refused_logins"))
    return True


def _there(server: CardServer) -> QuerySet[Contact]:
    return Contact.objects.filter(link__book__server=server, link__absent=False)


def changed(user_id: int, *, removed: bool = False) -> None:
    """A contact changed here: its server hears of it soon."""
    card_state.wake(user_id, timezone.now() + (REMOVAL_DUE if removed else SOON))


@transaction.atomic
def believe(server: CardServer) -> int:
    """What the server says is gone goes from here as well; returns how many."""
    now = timezone.now()
    links = CardLink.objects.filter(book__server=server, vanished=True)
    contacts = Contact.objects.filter(pk__in=list(links.values_list("contact_id", flat=True)), removed_at=None)
    count = contacts.update(removed_at=now, changed_at=now)
    links.delete()  # should they be there again one day, they are new
    return count


@transaction.atomic
def put_back(server: CardServer) -> int:
    """What the server says is gone is made there again, from here; returns how many."""
    count = CardLink.objects.filter(book__server=server, vanished=True).update(vanished=False, absent=True, etag="")
    changed(server.user_id)
    return count


@transaction.atomic
def settle(contact: Contact, *, mine: bool) -> None:
    """The person has seen what was changed on both sides; with ``mine`` the fields are as they were here."""
    link = CardLink.objects.filter(contact=contact).first()
    if link is None or not link.crossed:
        return
    if mine:
        found = Contact.objects.select_for_update().get(pk=contact.pk)
        for name, (here, _there) in link.crossed.get("fields", {}).items():
            setattr(found, name, here)
        found.index()
        found.save()
        changed(found.user_id)
    CardLink.objects.filter(pk=link.pk).update(crossed={})
