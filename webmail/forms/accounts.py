"""Forms about a person's mail accounts. Passwords are never printed back into a page."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import MailAccount, MailServer
from accounts.services.lifecycle import same_server
from accounts.services.provisioning import ServerChoice
from webmail.models import Mailbox
from webmail.queries.nav import display_name
from webmail.queries.settings import CopyChoice

from .lines import LineField

_HOST = re.compile(r"(?=.{1,253}\Z)(?:[\w-]{1,63}\.)*[\w-]{1,63}\Z|\[?[0-9A-Fa-f:]+\]?\Z")
_PORTS = {
    ("imap", "tls"): 993,
    ("imap", "starttls"): 143,
    ("pop3", "tls"): 995,
    ("pop3", "starttls"): 110,
    ("smtp", "tls"): 465,
    ("smtp", "starttls"): 587,
}
# read beside "Mail on the server", and short enough for a phone
POP_POLICIES = (
    (MailAccount.PopPolicy.KEEP.value, _("Stays there")),
    (MailAccount.PopPolicy.DELETE.value, _("Is deleted once it is here")),
    (MailAccount.PopPolicy.DELETE_AFTER.value, _("Is deleted after some days")),
    (MailAccount.PopPolicy.MIRROR.value, _("Is deleted when deleted here")),
)
POP_LIMITS = (
    (150, _("Everything (up to 150 MB)")),
    *((size, format_lazy(_("Messages up to {size} MB"), size=size)) for size in (50, 25, 10, 5, 1)),
    (0, _("Only the beginning of each message")),
)
ROLES = (Mailbox.Role.DRAFTS, Mailbox.Role.SENT, Mailbox.Role.ARCHIVE, Mailbox.Role.JUNK, Mailbox.Role.TRASH)


class HostField(LineField):
    """A server's name, without scheme, path or port; an address in numbers is taken too."""

    def to_python(self, value: Any) -> str:
        host = super().to_python(value)
        if host and not _HOST.match(host.rstrip(".")):
            raise ValidationError(_("“%(host)s” is not the name of a server."), params={"host": host[:60]})
        return host


def password_field(label: Any, *, required: bool = True, autocomplete: str = "off") -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete}, render_value=False)
    return forms.CharField(label=label, required=required, strip=False, max_length=1_000, widget=widget)


class ServersMixin(forms.Form):
    """Where mail is fetched and handed over; a host left empty means: as found by itself."""

    username = LineField(
        label=_("User name"), required=False, max_length=254, help_text=_("Often the same as the address.")
    )
    incoming_host = HostField(label=_("Receiving server"), required=False, max_length=255)
    incoming_port = forms.IntegerField(label=_("Port"), required=False, min_value=1, max_value=65535)
    incoming_security = forms.ChoiceField(
        label=_("Security"), required=False, choices=MailServer.Security.choices, initial="tls"
    )
    outgoing_host = HostField(label=_("Sending server (SMTP)"), required=False, max_length=255)
    outgoing_port = forms.IntegerField(label=_("Port"), required=False, min_value=1, max_value=65535)
    outgoing_security = forms.ChoiceField(
        label=_("Security"), required=False, choices=MailServer.Security.choices, initial="tls"
    )
    pop_policy = forms.ChoiceField(label=_("Mail on the server"), required=False, choices=POP_POLICIES, initial="keep")
    pop_days = forms.IntegerField(label=_("Days"), required=False, min_value=1, max_value=3650, initial=14)
    pop_limit_mb = forms.TypedChoiceField(
        label=_("Download"),
        required=False,
        choices=POP_LIMITS,
        coerce=int,
        empty_value="",
        initial=150,
        help_text=_("Of larger messages you see the beginning, and download or delete them from there."),
    )

    def clean_pop_policy(self) -> str:
        return self.cleaned_data.get("pop_policy") or MailAccount.PopPolicy.KEEP

    def clean_pop_limit_mb(self) -> int:
        typed = self.cleaned_data.get("pop_limit_mb")
        return typed if isinstance(typed, int) else 150

    def clean_pop_days(self) -> int:
        return self.cleaned_data.get("pop_days") or 14

    def server(self, end: str, protocol: str) -> ServerChoice | None:
        """The server typed for "incoming" or "outgoing", its usual port where none was; None when left empty."""
        host = self.cleaned_data.get(f"{end}_host")
        if not host:
            return None
        security = self.cleaned_data.get(f"{end}_security") or "tls"
        port = self.cleaned_data.get(f"{end}_port") or _PORTS[protocol, security]
        return ServerChoice(protocol, host, port, security)


class SignedInForm(forms.Form):
    """Back from an authorisation server: whose mail it is. Code and state go through the form as they came."""

    address = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"}),
    )
    code = LineField(max_length=4_000, widget=forms.HiddenInput)
    state = LineField(max_length=2_000, widget=forms.HiddenInput)


class AddAccountForm(ServersMixin):
    address = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        help_text=_("Your company, your own domain or any provider."),
        widget=forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"}),
    )
    password = password_field(_("Password"))
    protocol = forms.ChoiceField(
        label=_("Kind"), required=False, choices=MailAccount.Protocol.choices, initial="imap", widget=forms.RadioSelect
    )
    outgoing_password = password_field(_("Password for sending"), required=False)

    field_order = ("address", "password")

    def clean_protocol(self) -> str:
        return self.cleaned_data.get("protocol") or MailAccount.Protocol.IMAP


class AccountForm(ServersMixin):
    """The details of an account that is there. A new server is told a password only when it is typed again."""

    label = LineField(label=_("Name in Mailroom"), required=False, max_length=100)
    password = password_field(_("Password of the account"), required=False)

    field_order = ("label",)

    def __init__(self, data: Any = None, *, account: MailAccount, copies: CopyChoice | None = None) -> None:
        self.account = account
        super().__init__(data, initial=_initial(account) | {"pop_copy": copies.now if copies else ""})
        if copies is not None:
            choices = [("", _("Nowhere else")), *copies.folders]
            self.fields["pop_copy"] = forms.ChoiceField(
                label=_("Also put a copy into"),
                required=False,
                choices=choices,
                help_text=_("Whatever is downloaded from now on."),
            )
        self.fields["username"].required = self.fields["incoming_host"].required = True

    @property
    def copy_to(self) -> int | None:
        """The mailbox that gets copies; one of the person's own, as the choices are."""
        return int(self.cleaned_data.get("pop_copy") or 0) or None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and self._elsewhere() and not cleaned.get("password"):
            self.add_error("password", _("A server changes: type the account's password again, it is sent there."))
        return cleaned

    def _elsewhere(self) -> bool:
        """Whether the password would go to another host than the ones the person gave it for."""
        outgoing = self.server("outgoing", "smtp")
        incoming = self.server("incoming", self.account.protocol)
        moved = not same_server(self.account.incoming, incoming)
        return moved or (outgoing is not None and not same_server(self.account.outgoing, outgoing))


def _initial(account: MailAccount) -> dict[str, Any]:
    values: dict[str, Any] = {
        "label": account.label,
        "username": account.username,
        "pop_policy": account.pop_policy,
        "pop_days": account.pop_days,
        "pop_limit_mb": account.pop_limit_mb,
    }
    for end, server in (("incoming", account.incoming), ("outgoing", account.outgoing)):
        if server is not None:
            values |= {f"{end}_host": server.host, f"{end}_port": server.port, f"{end}_security": server.security}
    return values


class PasswordForm(forms.Form):
    """A new password for an account; another for sending only where the server asks for one."""

    password = password_field(_("New password"))
    outgoing_password = password_field(_("Another password for sending"), required=False)


class FoldersForm(forms.Form):
    """Which mailbox serves as Drafts, Sent, Archive, Spam and Trash."""

    def __init__(self, data: Any = None, *, mailboxes: list[Mailbox]) -> None:
        super().__init__(data)
        usable = [box for box in mailboxes if box.selectable and box.role != Mailbox.Role.INBOX]
        choices = [("", _("None")), *((str(box.pk), display_name(box) if box.role else box.name) for box in usable)]
        for role in ROLES:
            now = next((box.pk for box in usable if box.role == role), "")
            self.fields[role.value] = forms.ChoiceField(
                label=role.label, required=False, choices=choices, initial=str(now)
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        chosen = [cleaned[role.value] for role in ROLES if cleaned.get(role.value)]
        if len(chosen) != len(set(chosen)):
            raise ValidationError(_("One folder can serve only one purpose. Choose different ones."))
        return cleaned
