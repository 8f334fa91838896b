"""The addresses a person writes from: added, confirmed, given up. Nobody writes from one whose mail they do not get.

An address is confirmed by a link in a mail to it, opened while signed in as whoever asked (security criterion S58). For
a whole domain (``*@example.org``) the mail goes to an address of it that nobody could know.
"""

import os
from datetime import timedelta
from typing import IO, BinaryIO, cast

from django.core import signing
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Identity, MailAccount, User
from accounts.models.identity import ANY
from webmail import live, storage
from webmail.jobs import Job, enqueue_on_commit
from webmail.mime.addresses import Address
from webmail.mime.build import Composition, new_message_id, write_message
from webmail.mime.filenames import safe_filename
from webmail.models import Outgoing, OutgoingRecipient, SignaturePicture, signature_pictures_in
from webmail.render.headers import PICTURES

from .mailboxes import NotPossible

SALT = "identity"
VALID_SECONDS = 3 * 86_400
AN_HOUR = timedelta(hours=1)
MOST_ASKED = 5  # mails to confirm addresses that one person has sent in an hour
PAUSE = timedelta(minutes=1)
LARGEST_PICTURE = 500_000  # octets; it goes along with every message


@transaction.atomic
def add(user: User, account: MailAccount, *, address: str, name: str, origin: str) -> Identity:
    """An address to confirm; its mail is on its way. Raises NotPossible with why it cannot be."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)  # so that the same is not added twice at once
    known = Identity.objects.select_for_update().filter(account=account, address__iexact=address).first()
    if known is not None and known.is_usable:
        raise NotPossible(_("You write from this address already."))
    if known is None:
        known = Identity.objects.create(account=account, address=address, name=name)
    else:
        Identity.objects.filter(pk=known.pk).update(name=name, removed_at=None, verified_at=None, is_default=False)
        known.refresh_from_db()
    ask(user, known, origin=origin)
    return known


@transaction.atomic
def ask(user: User, identity: Identity, *, origin: str) -> None:
    """Sends the mail that confirms the address, from the account's own. Raises NotPossible.

    ``origin`` is where Mailroom was asked for it: ``https://mail.example.org``.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    now = timezone.now()
    mine = Identity.objects.filter(account__user=user)
    if identity.asked_at and identity.asked_at > now - PAUSE:
        raise NotPossible(_("The mail left a moment ago. Look into the mailbox of that address."))
    if mine.filter(asked_at__gt=now - AN_HOUR).count() >= MOST_ASKED:
        raise NotPossible(_("Too many addresses at once. Try again in an hour."))
    usable = mine.filter(account=identity.account_id, verified_at__isnull=False, removed_at=None)
    sender = usable.exclude(address__startswith=ANY).order_by("pk").first()
    if sender is None or identity.account.outgoing_id is None:
        raise NotPossible(_("This account has no server for sending. Add one in its settings."))
    Identity.objects.filter(pk=identity.pk).update(asked_at=now)
    _send(user, sender, identity, origin)


def confirm(user: User, token: str) -> Identity | None:
    """The identity that the link names, usable from now on; None for a link that is old, forged or somebody else's."""
    identity = named_by(user, token)
    if identity is not None:
        Identity.objects.filter(pk=identity.pk, verified_at=None).update(verified_at=timezone.now())
        identity.refresh_from_db()
    return identity


def named_by(user: User, token: str) -> Identity | None:
    try:
        pk, address = signing.loads(token, salt=SALT, max_age=VALID_SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return Identity.objects.filter(pk=pk, account__user=user, address=address, removed_at=None).first()


def add_picture(identity: Identity, *, filename: str, content_type: str, file: IO[bytes]) -> SignaturePicture:
    """A picture for the signature. Raises NotPossible for what is too large or no picture."""
    octets = file.read(LARGEST_PICTURE + 1)
    if len(octets) > LARGEST_PICTURE:
        raise NotPossible(_("A picture of a signature has at most %d KB.") % (LARGEST_PICTURE // 1000))
    if content_type not in PICTURES or not octets:
        raise NotPossible(_("A signature shows PNG, JPEG, GIF and WebP pictures."))
    return SignaturePicture.objects.create(
        identity=identity,
        filename=safe_filename(filename) or "picture",
        content_type=content_type,
        size=len(octets),
        digest=storage.put(identity.account_id, octets),
    )


def forget_pictures(identity: Identity) -> None:
    """Those that the signature no longer shows."""
    identity.pictures.exclude(pk__in=signature_pictures_in(identity.signature_html)).delete()


@transaction.atomic
def remove(identity: Identity) -> None:
    """Given up, for messages that wait too; ``restore`` is Undo. Raises NotPossible for the account's own address."""
    if identity.address.lower() == identity.account.address.lower():
        raise NotPossible(_("This is the address of the account. It goes with the account."))
    Identity.objects.filter(pk=identity.pk).update(removed_at=timezone.now())


def restore(identity: Identity) -> None:
    """Taken back as it was: confirmed, if it was."""
    Identity.objects.filter(pk=identity.pk).update(removed_at=None)


@transaction.atomic
def use_first(identity: Identity) -> None:
    Identity.objects.filter(account=identity.account_id).update(is_default=False)
    Identity.objects.filter(pk=identity.pk).update(is_default=True)


def _send(user: User, sender: Identity, identity: Identity, origin: str) -> None:
    domain = identity.address.rpartition("@")[2]
    unknown = f"mailroom-{os.urandom(10).hex()}@{domain}"
    to = Address(name="", addr_spec=unknown if identity.stands_for_domain else identity.address)
    token = signing.dumps([identity.pk, identity.address], salt=SALT)
    link = origin + reverse("mail:identity_confirm", args=[token])
    words = {"name": user.name or user.email, "address": identity.address, "email": user.email, "link": link}
    asks = _("%(name)s wants to write mail from %(address)s with Mailroom.")
    then = _("If that is you, open this address within three days, signed in as %(email)s:")
    else_ = _("If you know nothing of it, do nothing: without it nobody writes from this address.")
    text = "\n\n".join((asks, then, "%(link)s", else_)) % words + "\n"
    composition = Composition(
        from_=(Address(name=sender.name, addr_spec=sender.address),),
        to=(to,),
        subject=_("Confirm %s") % identity.address,
        message_id=new_message_id(sender.address.rpartition("@")[2], os.urandom(16)),
        date=timezone.localtime(),
        boundary_seed=os.urandom(16),
        text=text,
        extra={"Auto-Submitted": "auto-generated"},
    )
    with storage.spool() as spool:
        write_message(composition, cast(BinaryIO, spool), keep_bcc=False)
        digest, size = spool.keep(sender.account_id), spool.size
    outgoing = Outgoing.objects.create(
        user=user,
        account_id=sender.account_id,
        identity=sender,
        message_id=composition.message_id,
        subject=composition.subject,
        envelope_from="",  # a refusal holds the mail, and its link: it must not come to whoever asked
        digest=digest,
        sent_copy_digest=digest,
        size=size,
        filing=Outgoing.Filing.NONE,
        send_after=timezone.now(),
    )
    OutgoingRecipient.objects.create(outgoing=outgoing, address=to.addr_spec)
    enqueue_on_commit(Job.SEND, outgoing.pk)
    live.publish_on_commit(user.pk, "outbox", outgoing=outgoing.pk)
