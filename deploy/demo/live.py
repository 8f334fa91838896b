"""Drops a new letter into a running demo, as somebody of the cast would have sent it.

It goes through the server's submission port, because only the server itself can push to waiting IDLE sessions.
"""

import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid

from deploy.demo.people import DEMO_PASSWORDS, TOMASZ, Person


def deliver(
    *, smtp_port: int, ca_pem: str, to: str, subject: str, text: str, sender: Person = TOMASZ, html: str = ""
) -> str:
    """Send a letter from one who can sign in to any demo address; returns its Message-ID.

    Raises smtplib.SMTPException when the server refuses and OSError when it cannot be reached.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = f"{sender.name} <{sender.address}>"
    message["To"], message["Subject"] = to, subject
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = make_msgid("live", sender.address.partition("@")[2])
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    context = ssl.create_default_context(cadata=ca_pem)
    with smtplib.SMTP_SSL("localhost", smtp_port, context=context, timeout=10) as client:
        client.login(sender.address, DEMO_PASSWORDS[sender.address])
        client.send_message(message)
    return str(message["Message-ID"])
