"""The panel at /admin/: people, organisations, servers and accounts. Mail and credentials are not registered here."""

from . import mail_accounts, organisations, people, providers, servers, trail

__all__ = ["mail_accounts", "organisations", "people", "providers", "servers", "trail"]
