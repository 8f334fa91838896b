"""Where a run of the embedded default keeps its things, and what it tells the Django processes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded import postgres, redis
from deploy.embedded.ports import is_free, remember_port, remembered_ports
from deploy.embedded.process import Account, give

ROOT = Path(__file__).resolve().parent.parent.parent
MARK = "mailroom-state"  # a file that says: this folder is ours, --reset may empty it
WEB_PORT = 8000
# As root Postgres runs under another account, to which a checkout below /root is closed; its data then lies here.
ROOT_DATA = Path("/var/lib/mailroom")
DEMO_PORTS = ("imap", "pop3", "smtp", "pictures")


class CannotStart(Exception):
    """A reason not to start, in words for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class State:
    """Paths of one installation: `home` is kept between runs, `runtime` holds sockets and goes with the run."""

    home: Path
    runtime: Path
    database: Path
    account: Account | None

    @property
    def logs(self) -> Path:
        return self.home / "log"

    def log(self, name: str) -> Path:
        """The log file of the child of that name."""
        return self.logs / f"{name}.log"

    @property
    def demo(self) -> Path:
        return self.home / "demo-mail"

    @property
    def sign_ins(self) -> Path:
        """Lines `role address password` of the demo's people."""
        return self.home / "sign-ins"


def lock(home: Path) -> int:
    """Take the folder for this run and return the lock's descriptor; CannotStart when another run has it.

    Servers inherit the descriptor: after a killed run the folder is free once its last server is gone.
    """
    _claim(home)
    handle = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + 20
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            running = os.pread(handle, 20, 0).decode().strip()
            if (running and _alive(int(running))) or time.monotonic() > deadline:
                os.close(handle)
                raise CannotStart(f"Mailroom is already running on {home} (process {running or 'unknown'}).") from None
            time.sleep(0.1)
        else:
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
            return handle


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _claim(home: Path) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (home / MARK).exists():
        if any(home.iterdir()):
            raise CannotStart(f"{home} holds files that are not Mailroom's. Name an empty folder with --state.")
        (home / MARK).write_text("Mailroom keeps the data of its embedded servers here. See deploy/up.\n")


def reset(home: Path) -> None:
    """Forget everything a locked folder holds."""
    _remove_runtime(home)
    shutil.rmtree(_data_folder(home, as_root=os.geteuid() == 0, make=False), ignore_errors=True)
    for entry in home.iterdir():
        if entry.name in {MARK, "lock"}:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def prepare(home: Path, *, account: Account | None) -> State:
    """Make the folders of a locked state and a fresh runtime folder for sockets."""
    _remove_runtime(home)
    short = "/tmp" if Path("/tmp").is_dir() else None  # noqa: S108 - a socket's path holds at most 107 bytes
    runtime = Path(tempfile.mkdtemp(prefix="mailroom-", dir=short))
    runtime.chmod(0o711)
    (home / "runtime").symlink_to(runtime)
    (runtime / "pg").mkdir(mode=0o700)
    give(runtime / "pg", account)
    state = State(home, runtime, _data_folder(home, as_root=account is not None, make=True), account)
    for folder in (state.logs, home / "storage", home / "static", home / "redis", state.demo):
        folder.mkdir(mode=0o700, exist_ok=True)
    for log in state.logs.iterdir():
        if log.stat().st_size > 5 * 2**20:
            log.replace(log.with_suffix(".log.1"))
    return state


def _data_folder(home: Path, *, as_root: bool, make: bool) -> Path:
    if not as_root:
        return home / "postgres"
    name = home / "postgres-folder"
    if make and not name.exists():
        name.write_text(str(ROOT_DATA / f"data-{secrets.token_hex(6)}"))
    if not name.exists():
        return home / "postgres"
    if make:
        ROOT_DATA.mkdir(parents=True, exist_ok=True)
        ROOT_DATA.chmod(0o755)
    return Path(name.read_text())


def forget_runtime(state: State) -> None:
    """Remove the sockets' folder at the end of a run."""
    _remove_runtime(state.home)


def _remove_runtime(home: Path) -> None:
    link = home / "runtime"
    if link.is_symlink():
        shutil.rmtree(link.readlink(), ignore_errors=True)
        link.unlink()


def choose_ports(home: Path, *, web: int | None) -> dict[str, int]:
    """Ports for `web` and the demo mail server, the same as last time; CannotStart when one is taken."""
    file = home / "ports.json"
    if web is None and not file.exists() and is_free(WEB_PORT):
        web = WEB_PORT
    if web is not None:
        remember_port(file, "web", web)
    ports = remembered_ports(file, ("web", *DEMO_PORTS))
    for name, port in ports.items():
        if not is_free(port):
            hint = "Name another with --port." if name == "web" else "Stop that program, or begin anew with --reset."
            raise CannotStart(f"Port {port} on 127.0.0.1 is in use by another program. {hint}")
    return ports


def django_environment(state: State, *, ports: dict[str, int]) -> dict[str, str]:
    """The environment of every Django process: production's settings, over plain HTTP on loopback."""
    secret = state.home / "secret"
    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_urlsafe(48))
    redis_socket = state.runtime / "redis.sock"
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "webmail.settings.prod",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(ROOT),
        "MAILROOM_INSECURE_HTTP": "1",
        "MAILROOM_DEMO": "1",
        "MAILROOM_SECRET_KEY": secret.read_text(),
        "MAILROOM_DATABASE_URL": postgres.database_url(state.runtime / "pg", "mailroom"),
        "MAILROOM_REDIS_URL": redis.cache_url(redis_socket),
        "MAILROOM_BROKER_URL": redis.broker_url(redis_socket),
        "MAILROOM_KEY_FILE": str(state.home / "key"),
        "MAILROOM_STORAGE_DIR": str(state.home / "storage"),
        "MAILROOM_STATIC_DIR": str(state.home / "static"),
        "MAILROOM_ALLOWED_HOSTS": "127.0.0.1,localhost",
        "MAILROOM_SITE_URL": f"http://127.0.0.1:{ports['web']}",
        "MAILROOM_DEMO_CA": str(state.demo / "tls" / "ca.pem"),
        **{f"MAILROOM_DEMO_{name.upper()}_PORT": str(ports[name]) for name in DEMO_PORTS},
    }


def fingerprint() -> str:
    """Changes when migrations, static files, installed packages or the demo do; then the next start prepares again."""
    digest = hashlib.sha256(sys.version.encode())
    folders = ("webmail/migrations", "accounts/migrations", "static", "deploy/demo", "deploy/requirements")
    commands = sorted(ROOT.glob("*/management/commands/*.py"))
    for path in [*commands, *(p for folder in folders for p in sorted((ROOT / folder).rglob("*")))]:
        if path.is_file() and "__pycache__" not in path.parts:
            facts = path.stat()
            digest.update(f"{path.relative_to(ROOT)} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()
