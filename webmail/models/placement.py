from enum import IntFlag

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.lookups import Exact

from accounts.models import MailAccount

from .mailbox import Mailbox
from .message import Message
from .thread import Thread


class Flag(IntFlag):
    """Message flags as bits (RFC 9051 section 2.3.2 and the registered keywords), so that deltas are one operator."""

    SEEN = 1
    FLAGGED = 2
    ANSWERED = 4
    FORWARDED = 8
    DRAFT = 16
    DELETED = 32
    JUNK = 64
    NOT_JUNK = 128

    @property
    def wire(self) -> str:
        return _WIRE[self]

    @classmethod
    def from_wire(cls, flags: "frozenset[str] | set[str]") -> "tuple[int, list[str]]":
        """The bits of a FETCH FLAGS list and the remaining keywords, sorted; they are equal whatever their case."""
        bits, keywords = 0, []
        for flag in flags:
            bit = _BITS.get(flag.lower())
            if bit is None:
                if not flag.startswith("\\"):
                    keywords.append(flag[:100])
            else:
                bits |= bit
        return bits, sorted({word.lower(): word for word in sorted(keywords)}.values())


_WIRE = {
    Flag.SEEN: "\\Seen",
    Flag.FLAGGED: "\\Flagged",
    Flag.ANSWERED: "\\Answered",
    Flag.FORWARDED: "$Forwarded",
    Flag.DRAFT: "\\Draft",
    Flag.DELETED: "\\Deleted",
    Flag.JUNK: "$Junk",
    Flag.NOT_JUNK: "$NotJunk",
}
_BITS = {wire.lower(): int(flag) for flag, wire in _WIRE.items()}


class Placement(models.Model):
    """That a message lies in a mailbox, under which UID, with which flags.

    ``flags`` is what people see; ``server_flags`` what the server last said. They differ only in the bits of
    ``pending_mask``, which a RemoteOp still owes to the server. A placement without ``uid`` was put here by a local
    move whose UID at the destination is not known yet.

    ``keywords`` and ``server_keywords`` are the same for keywords that are no bits (labels), as a server spells them,
    without two that differ in case alone; ``pending_keywords`` is their mask, in lower case.

    In a labelled mailbox ``labels`` are what people see and ``server_labels`` what the server last said, else null.
    A placement with an ``origin`` is the view of that one in a label's mailbox: derived, without UID, never acted on.
    """

    class State(models.IntegerChoices):
        LIVE = 0
        GONE = 1
        UNFETCHABLE = 2

    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="+", db_index=False)
    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="placements", db_index=False)
    gen = models.PositiveIntegerField(default=1)
    uid = models.BigIntegerField(null=True)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="placements")
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="+", db_index=False)
    received_at = models.DateTimeField()
    modseq = models.BigIntegerField(null=True)
    flags = models.SmallIntegerField(default=0)
    server_flags = models.SmallIntegerField(default=0)
    pending_mask = models.SmallIntegerField(default=0)
    keywords = ArrayField(models.CharField(max_length=100), default=list)
    server_keywords = ArrayField(models.CharField(max_length=100), default=list)
    pending_keywords = ArrayField(models.CharField(max_length=100), default=list)
    labels = ArrayField(models.TextField(), null=True)
    server_labels = ArrayField(models.TextField(), null=True)
    origin = models.ForeignKey(  # a view that lost its origin is dropped with the next look at its conversation
        "self", on_delete=models.DO_NOTHING, null=True, related_name="views", db_index=False, db_constraint=False
    )
    state = models.SmallIntegerField(choices=State.choices, default=State.LIVE)
    gone_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "gen", "uid"], name="placement_once"),
            models.UniqueConstraint(
                fields=["origin", "mailbox"], name="placement_view_once", condition=models.Q(origin__isnull=False)
            ),
        ]
        indexes = [
            models.Index(fields=["mailbox", "thread"], name="placement_by_thread"),
            # lists of messages one by one, all of them and the unread
            models.Index(
                fields=["mailbox", "-received_at", "-id"], name="placement_by_date", condition=models.Q(state=0)
            ),
            models.Index(
                fields=["mailbox", "-received_at", "-id"],
                name="placement_unread_by_date",
                condition=models.Q(state=0) & models.Q(Exact(models.F("flags").bitand(1), 0)),
            ),
            models.Index(fields=["thread"], name="placement_thread"),
            models.Index(fields=["account", "gone_at"], name="placement_gone", condition=models.Q(state=1)),
            models.Index(
                fields=["account", "-received_at"],
                name="placement_starred",
                condition=models.Q(state=0) & models.Q(flags__gte=2),
            ),
        ]

    def __str__(self) -> str:
        return f"placement {self.pk}"
