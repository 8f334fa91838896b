"""A text and a table beside each other, as pages show them: one row's message, and how far the making has come."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from webmail.mime.html_text import html_to_text
from webmail.mime.merge_tables import only_address
from webmail.models import MailMerge, Outgoing

from .templates import filled_from, named_in

_MOST_SKIPPED = 50


@dataclass(frozen=True, slots=True)
class RowMessage:
    """The message of one row; ``to`` is "" where its ``cell`` is not one address. ``shown`` is the text to look at."""

    number: int
    to: str
    cell: str
    subject: str
    html: str
    text: str
    shown: str


@dataclass(frozen=True, slots=True)
class Progress:
    title: str
    sentence: str
    done: int
    total: int
    running: bool
    may_go_on: bool
    may_take_back: bool
    skipped: tuple[tuple[int, str], ...]
    skipped_more: int


def filled_row(merge: MailMerge, index: int) -> RowMessage:
    """``index`` counts from 0."""
    row, draft = merge.rows[index], merge.draft
    values = {" ".join(name.lower().split()): cell for name, cell in zip(merge.columns, row, strict=True)}
    cell = row[merge.address_column]
    filled = filled_from(draft.subject, "" if draft.plain else draft.html, values)
    text = filled_from(draft.text, "", values, lines=True).subject if draft.plain else ""
    return RowMessage(
        number=index + 1,
        to=only_address(cell),
        cell=cell,
        subject=filled.subject,
        html=filled.html,
        text=text,
        shown=text if draft.plain else html_to_text(filled.html),
    )


def unknown_names(merge: MailMerge) -> list[str]:
    """What stands in braces in the text and is no column: it would be sent as it stands."""
    draft = merge.draft
    known = {" ".join(name.lower().split()) for name in merge.columns}
    text = draft.text if draft.plain else html_to_text(draft.html)
    return [name for name in named_in(draft.subject, text) if name.lower() not in known]


def without_address(merge: MailMerge) -> int:
    """Rows that will be left out."""
    return sum(not only_address(row[merge.address_column]) for row in merge.rows)


def progress(merge: MailMerge) -> Progress:
    """How far it has come, in words."""
    open_states = [Outgoing.State.QUEUED, Outgoing.State.DEFERRED, Outgoing.State.FAILED]
    may_take_back = Outgoing.objects.filter(merge=merge, state__in=open_states, claim=None, sent_at=None).exists()
    cancelled = Outgoing.objects.filter(merge=merge, state=Outgoing.State.CANCELLED).count()
    made = max(0, merge.done - len(merge.skipped) - cancelled)
    words = ngettext("%(count)d message lies in the outbox.", "%(count)d messages lie in the outbox.", made)
    titles: dict[str, str] = {
        MailMerge.State.RUNNING: _("The messages are being made"),
        MailMerge.State.STOPPED: _("Stopped"),
        MailMerge.State.ENDED: _("All messages are made"),
    }
    return Progress(
        title=titles.get(merge.state, ""),
        sentence=f"{words % {'count': made}} {merge.problem}".strip(),
        done=merge.done,
        total=merge.total,
        running=merge.state == MailMerge.State.RUNNING,
        may_go_on=merge.state == MailMerge.State.STOPPED and merge.done < merge.total,
        may_take_back=may_take_back,
        skipped=tuple((number, why) for number, why in merge.skipped[:_MOST_SKIPPED]),
        skipped_more=max(0, len(merge.skipped) - _MOST_SKIPPED),
    )
