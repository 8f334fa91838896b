"""Rows of mail. Every row carries its account: queries start there, and tables can be partitioned on it.

``Mailbox`` and ``Placement`` mirror the server (where a message lies, under which UID, with which flags); ``Message``
is its content once per account; ``Thread`` and ``MailboxThread`` are summaries that make a list page one index scan;
``RemoteOp`` and ``Outgoing`` are intents a worker still owes to a server.
"""

from .body import MessageBody
from .bulk import BulkJob
from .calendar_notice import CalendarNotice
from .card_book import CardBook, CardLink
from .contact import Contact, ContactGroup
from .correspondent import Correspondent
from .draft import Draft, Upload
from .mail_merge import MailMerge
from .mailbox import Mailbox
from .message import Message, MessageSearch
from .message_answer import MessageAnswer
from .outgoing import Outgoing, OutgoingRecipient
from .placement import Flag, Placement
from .pop_copy import PopCopy
from .pop_uid import PopUid
from .remote_image import RemoteImage
from .remote_op import Action, RemoteOp
from .report import ReportedFate
from .sender_trust import SenderTrust
from .signature_picture import SignaturePicture, signature_pictures_in
from .text_template import TextTemplate
from .thread import MailboxThread, Thread, ThreadRef
from .unsubscription import Unsubscription

__all__ = [
    "Action",
    "BulkJob",
    "CalendarNotice",
    "CardBook",
    "CardLink",
    "Contact",
    "ContactGroup",
    "Correspondent",
    "Draft",
    "Flag",
    "MailMerge",
    "Mailbox",
    "MailboxThread",
    "Message",
    "MessageAnswer",
    "MessageBody",
    "MessageSearch",
    "Outgoing",
    "OutgoingRecipient",
    "Placement",
    "PopCopy",
    "PopUid",
    "RemoteImage",
    "RemoteOp",
    "ReportedFate",
    "SenderTrust",
    "SignaturePicture",
    "TextTemplate",
    "Thread",
    "ThreadRef",
    "Unsubscription",
    "Upload",
    "signature_pictures_in",
]
