"""What pages show, as values: a template prints attributes and never reaches for a query."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .invitations import InvitationCard
    from .receipts import Receipt
    from .remote_images import RemoteImages
    from .unsubscribing import WayOut

from .special import NOTHING, Special
from .trust_panel import TrustPanel

_ONE_LINE = 48  # characters of an address that stand beside the name


@dataclass(frozen=True, slots=True)
class NavFolder:
    id: int
    name: str
    url: str
    icon: str
    unread: int
    total: int
    depth: int
    role: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class NavAccount:
    id: int
    label: str
    address: str
    state_code: str
    state_words: str
    needs_attention: bool
    folders: tuple[NavFolder, ...]


@dataclass(frozen=True, slots=True)
class Nav:
    accounts: tuple[NavAccount, ...]
    unified_unread: int
    outbox_count: int
    outbox_needs_you: bool
    unsynced_count: int
    unsynced_needs_you: bool
    status_line: str
    status_url: str
    status_icon: str
    current: str
    inbox_url: str


@dataclass(frozen=True, slots=True)
class Chip:
    name: str
    hue: int = 0


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """One line of the label menu; ``state`` is that of ``aria-pressed``: true, false or mixed."""

    keyword: str
    name: str
    hue: int
    state: str = "false"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list: a conversation in a mailbox, a search hit, or a draft."""

    thread_id: int
    url: str
    senders: str
    count: int
    subject: str
    snippet: str
    when: datetime
    unread: bool
    starred: bool
    attachment: bool
    answered: bool
    forwarded: bool
    invite: bool
    avatar_name: str
    avatar_address: str
    chips: tuple[Chip, ...] = ()
    folder: str = ""
    lang: str = ""
    pending: bool = False
    group: str = ""
    mailbox_id: int = 0
    left_on_server: int = 0  # octets of a POP3 message whose beginning alone is here
    draft_id: int = 0  # what is being written stands in the list too; it has no conversation yet
    message_id: int = 0  # where messages are listed one by one
    subject_marks: tuple[tuple[str, bool], ...] = ()
    snippet_marks: tuple[tuple[str, bool], ...] = ()

    @property
    def key(self) -> str:
        """What names the line to scripts and to the door of actions: d7 a draft, m7 a message, else a thread."""
        if self.draft_id:
            return f"d{self.draft_id}"
        return f"m{self.message_id}" if self.message_id else str(self.thread_id)


@dataclass(frozen=True, slots=True)
class Progress:
    done: int
    total: int
    words: str


@dataclass(frozen=True, slots=True)
class ErrorBlock:
    title: str
    sentence: str
    server_line: str
    action_label: str
    action_url: str
    level: Literal["danger", "warn"] = "danger"


@dataclass(frozen=True, slots=True)
class Empty:
    title: str
    sentence: str
    action_label: str = ""
    action_url: str = ""


@dataclass(frozen=True, slots=True)
class ListPage:
    rows: tuple[Row, ...]
    older: str  # keyset cursor of the next page, or ""


@dataclass(frozen=True, slots=True)
class AddressLine:
    name: str
    addr_spec: str


@dataclass(frozen=True, slots=True)
class AttachmentChip:
    filename: str
    size: int
    icon: str
    view_url: str  # its preview, "" where there is none
    download_url: str
    thumb_url: str = ""


@dataclass(frozen=True, slots=True)
class LeftOnServer:
    """A POP3 message whose beginning alone is here. Sizes in octets; ``problem`` is what the server said last."""

    size: int
    octets: int  # brought so far
    wanted: bool
    listed: bool  # the server still has it
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """One message of a conversation, ready to print; its body is shown by a frame of its own."""

    id: int
    from_name: str
    from_address: str
    to_words: str
    recipients: tuple[tuple[str, tuple[AddressLine, ...]], ...]
    when: datetime
    folded: bool
    unread: bool
    starred: bool
    snippet: str
    verified: bool
    trust: TrustPanel | None
    body_url: str
    body_state: str
    body_error: str
    remote: "RemoteImages | None"
    attachments: tuple[AttachmentChip, ...]
    draft: bool
    reply_url: str
    reply_all_url: str
    reply_list_url: str
    forward_url: str
    forward_file_url: str
    again_url: str
    redirect_url: str
    source_url: str
    way_out: "WayOut | None"
    receipt: "Receipt | None"
    invitation: "InvitationCard | None"
    is_plain: bool
    html_frame: bool
    folder: str = ""
    avatar_name: str = ""
    avatar_address: str = ""
    mine: bool = False
    left: LeftOnServer | None = None
    special: Special = NOTHING
    mailbox_id: int = 0  # where it lies, of several places that of the list
    alone_url: str = ""  # this message without its conversation
    headers_url: str = ""
    print_url: str = ""
    ground_url: str = ""  # its frame on the other ground than the one that suits it: designed mail in dark colours

    @property
    def address_local(self) -> str:
        return self.from_address.rpartition("@")[0]

    @property
    def address_domain(self) -> str:
        """With its @: the part that no narrow line may cut off."""
        return self.from_address[len(self.address_local) :]

    @property
    def nameless(self) -> bool:
        return self.from_name == self.from_address and 0 < len(self.from_address) <= _ONE_LINE

    @property
    def long_address(self) -> bool:
        """Whether the address needs lines of its own to be shown whole."""
        return len(self.from_address) > _ONE_LINE

    @property
    def sender_line(self) -> bool:
        """Whether the address stands above the recipients too, where the line of the name has no room for it."""
        known = self.mine or (self.trust is not None and self.trust.known and not self.trust.level)
        return self.long_address or not (self.nameless or known or not self.from_address)


@dataclass(frozen=True, slots=True)
class ReadThread:
    id: int
    subject: str
    message_count: int
    people_count: int
    starred: bool
    unread: bool
    chips: tuple[Chip, ...]
    position_words: str
    newer_url: str
    older_url: str
    back_url: str
    labels: tuple[LabelChoice, ...] = ()
    messages: tuple[ReadMessage, ...] = field(default_factory=tuple)
    single: int = 0  # the one message that is shown of it

    @property
    def key(self) -> str:
        """As that of its line in a list."""
        return f"m{self.single}" if self.single else str(self.id)
