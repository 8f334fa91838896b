"""Makes the demo's people, servers and accounts; says again what is there when it is run again."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.models import MailAccount, MailServer, Organisation, User
from accounts.services import provisioning
from deploy.demo.people import AUTHSERV_ID, DEMO_PASSWORDS, MAREN, TOMASZ

ADMINISTRATOR = ("admin@harbourlane.example", "keeper-of-the-keys")


class Command(BaseCommand):
    """Prints one line a sign-in: role, address, password."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--quiet", action="store_true", help="print nothing")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        home, _ = Organisation.objects.get_or_create(name="Harbour Lane")
        self._servers(home)
        for person in (MAREN, TOMASZ):
            user = self._person(home, person.address, person.name, DEMO_PASSWORDS[person.address])
            if not MailAccount.objects.filter(user=user).exists():
                provisioning.add_account(
                    user,
                    protocol="imap",
                    address=person.address,
                    password=DEMO_PASSWORDS[person.address],
                    label="Harbour Lane",
                )
        self._person(home, ADMINISTRATOR[0], "Ada Keeper", ADMINISTRATOR[1], staff=True)
        if not options["quiet"]:
            for person in (MAREN, TOMASZ):
                self.stdout.write(f"person {person.address} {DEMO_PASSWORDS[person.address]}")
            self.stdout.write(f"administrator {ADMINISTRATOR[0]} {ADMINISTRATOR[1]}")

    def _person(self, home: Organisation, address: str, name: str, password: str, *, staff: bool = False) -> User:
        user = User.objects.filter(email=address).first()
        if user is None:
            make = User.objects.create_superuser if staff else User.objects.create_user
            user = make(address, password, organisation=home, name=name)
        return user

    def _servers(self, home: Organisation) -> None:
        """The demo's own mail server: private address, odd ports and its own authority, so an administrator's."""
        authority = Path(_env("MAILROOM_DEMO_CA")).read_text()
        domains = [address.partition("@")[2] for address in DEMO_PASSWORDS]
        for protocol in ("imap", "pop3", "smtp"):
            MailServer.objects.update_or_create(
                organisation=home,
                protocol=protocol,
                trusted=True,
                defaults={
                    "host": "localhost",
                    "port": int(_env(f"MAILROOM_DEMO_{protocol.upper()}_PORT")),
                    "security": "tls",
                    "ca_certificates": authority,
                    "domains": sorted(set(domains)),
                    "authentication_names": [AUTHSERV_ID],
                },
            )


def _env(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise CommandError(f"{name} is not set; deploy/up sets it.")
    return value
