from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class WebmailConfig(AppConfig):
    name = "webmail"
    verbose_name = _("Mail")

    def ready(self) -> None:
        from accounts.queries.overview import register_figures
        from webmail.protocols import net
        from webmail.queries.operations import mail_figures

        register_figures(mail_figures)
        net.forbid_networks(settings.MAILROOM["FORBIDDEN_NETWORKS"])
