"""Who a message is from, as far as the receiving mail server could tell; what pages and services ask before they trust.

The verdict is formed when it is asked for, from what stands in the message's row since its headers came: an
administrator who names a service (or strikes one out) is obeyed at once, for all mail.
"""

from collections.abc import Collection

from webmail.mime.authentication import Signature, Verdict, covered_fields, judge, parse_report
from webmail.models import Message, MessageBody

# What the header parser noted when more than one address, or none, may be meant as the author.
_AMBIGUOUS = frozenset(
    {
        "multiple-from",
        "multiple-authors",
        "no-from",
        "invalid-address",
        "encoded-address",
        "several-addresses",
        "control",
        "too-many-headers",
        "headers-too-large",
    }
)


def verdict(message: Message, trusted: Collection[str]) -> Verdict:
    """What may be said of the author of ``message``; ``trusted`` as ``MailServer.believed`` gives them."""
    extra = message.extra
    return judge(
        extra.get("authentication_results", ()),
        trusted=trusted,
        author=message.from_address,
        ambiguous=not _AMBIGUOUS.isdisjoint(extra.get("warnings", ())),
    )


def topmost_service(message: Message) -> str:
    """Who claims, in the topmost field, to have checked the sender; believed or not. "" when nobody does."""
    return next((parse_report(value).authserv_id for value in message.extra.get("authentication_results", ())), "")


def is_authenticated(message: Message) -> bool:
    """Whether ``from_address`` may be relied on: its domain vouched for the message (criterion S15).

    Reads ``message.account.incoming``; join both where many messages are asked about.
    """
    return verdict(message, message.account.incoming.believed).standing == "verified"


def signed_fields(message: Message) -> frozenset[str]:
    """The names, in lower case, of the fields that a DKIM signature covers which passed its check (criterion S32).

    Empty until the content has been fetched. Reads ``message.account.incoming`` and ``message.body``.
    """
    return fields_signed(message, message.account.incoming.believed)


def fields_signed(message: Message, trusted: Collection[str]) -> frozenset[str]:
    """``signed_fields`` where many messages of one account are asked about; reads ``message.body``."""
    body: MessageBody | None = getattr(message, "body", None)
    if body is None or not body.signatures:
        return frozenset()
    found = [Signature(domain, selector, start, tuple(names)) for domain, selector, start, names in body.signatures]
    return covered_fields(verdict(message, trusted), found)
