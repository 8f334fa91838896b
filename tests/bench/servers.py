"""The private servers of one benchmark, started when it asks: Postgres as it runs for real, Redis, Dovecot, the web."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field

from deploy.embedded import postgres
from deploy.embedded.ports import free_port
from tests import stack
from tests.support.dovecot import Dovecot
from tests.support.live import Live, prepare_live
from tests.support.postfix import Postfix

DATABASE = "bench"


@dataclass(slots=True)
class Servers:
    """What a benchmark may ask for; `stop` ends all of it. A run has one, in a process of its own."""

    lives: list[Live] = field(default_factory=list)
    dovecots: list[Dovecot] = field(default_factory=list)
    postfixes: list[Postfix] = field(default_factory=list)
    ready: bool = False

    def django(self, *, settings: str = "webmail.settings.prod") -> None:
        """Start Postgres (durable, as for real) and Redis, make an empty migrated database, and set Django up on it."""
        if self.ready:
            return
        stack.start_redis()
        stack.start_postgres(options=("shared_buffers=256MB",))
        postgres.create_database(stack.PG_SOCKETS, DATABASE)
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": settings,
            "MAILROOM_DATABASE_URL": postgres.database_url(stack.PG_SOCKETS, DATABASE),
            "MAILROOM_SECRET_KEY": secrets.token_urlsafe(48),
            "MAILROOM_INSECURE_HTTP": "1",
            "MAILROOM_SITE_URL": "http://127.0.0.1",
            "MAILROOM_ALLOWED_HOSTS": "127.0.0.1",
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", interactive=False, verbosity=0)
        self.ready = True

    def web(self, *, workers: int = 1, **settings: str) -> Live:
        """The web server on the benchmark's database; `start` on it brings workers, dispatcher and watcher too."""
        self.django()
        env = {"DJANGO_SETTINGS_MODULE": "webmail.settings.prod", "GRANIAN_WORKERS": str(workers)}
        live = prepare_live(DATABASE, **(env | settings))
        self.lives.append(live)
        live.start("web")
        return live

    def dovecot(self, *, storage: str = "maildir") -> Dovecot:
        """A Dovecot of the benchmark's own; `storage` is "maildir" or "sdbox"."""
        from deploy.demo.tls import ensure_certificate
        from deploy.embedded.process import give, unprivileged

        folder = stack.RUN_DIR / f"dovecot-{free_port()}"
        made = ensure_certificate(stack.RUN_DIR / "tls")
        for path in (made.cert.parent, made.cert, made.key):
            give(path, unprivileged())
        server = Dovecot(folder, made, storage=storage)
        server.start()
        self.dovecots.append(server)
        return server

    def postfix(self, dovecot: Dovecot) -> Postfix:
        """A Postfix to which that Dovecot's users submit and which delivers to them; its queue is on disk."""
        server = Postfix(stack.RUN_DIR / f"postfix-{free_port()}", dovecot.tls, dovecot)
        server.start()
        self.postfixes.append(server)
        return server

    def stop(self) -> None:
        """End everything that was started and remove its files."""
        for live in self.lives:
            live.supervisor.stop_all()
        for postfix in self.postfixes:
            postfix.stop()
        for dovecot in self.dovecots:
            dovecot.stop()
        stack.clean_up()
