from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.discovery import authentication_services

from .organisation import Organisation


class MailServer(models.Model):
    """Where mail is fetched from or handed to.

    A server that a person typed is an ordinary row; only an administrator's row may be ``trusted``, which lets it lie
    on a private address and an odd port, and may name its own certificate authority. TLS is never optional.
    """

    class Protocol(models.TextChoices):
        IMAP = "imap", "IMAP"
        POP3 = "pop3", "POP3"
        SMTP = "smtp", "SMTP"
        DAV = "dav", "CardDAV"

    class Security(models.TextChoices):
        TLS = "tls", _("TLS from the first byte")
        STARTTLS = "starttls", _("STARTTLS, required")

    organisation = models.ForeignKey(
        Organisation,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="servers",
        help_text=_("Empty: offered to every organisation."),
    )
    protocol = models.CharField(_("protocol"), max_length=4, choices=Protocol.choices)
    host = models.CharField(_("host"), max_length=255)
    port = models.PositiveIntegerField(_("port"), validators=[MinValueValidator(1), MaxValueValidator(65535)])
    security = models.CharField(_("security"), max_length=8, choices=Security.choices, default=Security.TLS)
    trusted = models.BooleanField(
        _("named by an administrator"),
        default=False,
        help_text=_("May lie on a private address and use any port."),
    )
    ca_certificates = models.TextField(
        _("own certificate authority"), blank=True, help_text=_("PEM; trusted for this server beside the usual ones.")
    )
    domains = ArrayField(
        models.CharField(max_length=255),
        default=list,
        blank=True,
        verbose_name=_("mail domains"),
        help_text=_("People with addresses in these domains are set up with this server."),
    )
    authentication_names = ArrayField(
        models.CharField(max_length=255),
        default=list,
        blank=True,
        verbose_name=_("authentication service names"),
        help_text=_(
            "Whose checks of senders are believed: the name after “Authentication-Results:” at the top of a received "
            "message's source, often that of the receiving mail server. It must be one whose server removes forged "
            "fields with its name (RFC 8601). A name that begins with a dot stands for all hosts below it. "
            "Empty: nobody's, except at providers whose name is known."
        ),
    )
    max_connections = models.PositiveSmallIntegerField(
        _("connections of an account at once"),
        default=8,
        validators=[MinValueValidator(1)],
        help_text=_("One of them waits for news, one syncs, one is kept for what people open."),
    )
    host_connections = models.PositiveSmallIntegerField(
        _("connections to its host at once"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("All accounts together. Empty: as many as it takes, learnt from its refusals."),
    )
    host_cap = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)  # learnt from a refusal
    host_cap_at = models.DateTimeField(null=True, blank=True, editable=False)
    message_limit = models.BigIntegerField(null=True, blank=True, editable=False)  # octets, SIZE of EHLO (RFC 1870)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "protocol", "host", "port"], name="server_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=models.Q(trusted=True) | models.Q(ca_certificates=""), name="server_ca_needs_trust"
            ),
        ]
        ordering = ["host", "protocol"]
        verbose_name = _("mail server")
        verbose_name_plural = _("mail servers")

    @property
    def believed(self) -> frozenset[str]:
        """The authserv-ids (RFC 8601) whose results about senders count for mail read from here, in lower case."""
        return frozenset(self.authentication_names) or authentication_services(self.host)

    def __str__(self) -> str:
        return f"{self.get_protocol_display()} {self.host}:{self.port}"
