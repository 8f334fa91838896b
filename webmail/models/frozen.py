"""The frozen octets of an outgoing message, put together from its frame and the files that go into it.

Invariants: frame and files are named by their content, so that the same octets come out whenever it is done and however
often; what is put together takes the frame's place in one statement, and only where the frame still stands.
"""

from typing import BinaryIO, cast

from webmail import storage
from webmail.mime.build import fill

from .outgoing import Outgoing


def complete(outgoing: Outgoing) -> None:
    """Has ``digest`` name the message as it is sent. Raises OSError where a file cannot be read, or kept."""
    if not outgoing.holes:
        return
    digest, size = _put_together(outgoing.account_id, outgoing.digest, outgoing.holes)
    framed = Outgoing.objects.filter(pk=outgoing.pk, digest=outgoing.digest)
    framed.update(digest=digest, size=size, holes=[])
    outgoing.digest, outgoing.size, outgoing.holes = digest, size, []


def complete_sent_copy(outgoing: Outgoing) -> None:
    """The same for the copy in Sent, which is the message itself where nobody was named in Bcc."""
    if not outgoing.sent_copy_holes:
        return
    digest, _size = _put_together(outgoing.account_id, outgoing.sent_copy_digest, outgoing.sent_copy_holes)
    framed = Outgoing.objects.filter(pk=outgoing.pk, sent_copy_digest=outgoing.sent_copy_digest)
    framed.update(sent_copy_digest=digest, sent_copy_holes=[])
    outgoing.sent_copy_digest, outgoing.sent_copy_holes = digest, []


def _put_together(account_id: int, frame: str, holes: list[tuple[int, str]]) -> tuple[str, int]:
    def content(digest: str) -> BinaryIO:
        return cast(BinaryIO, storage.open_file(account_id, digest))

    with storage.open_file(account_id, frame) as source, storage.spool() as spool:
        fill(cast(BinaryIO, source), holes, content, cast(BinaryIO, spool))
        return spool.keep(account_id), spool.size
