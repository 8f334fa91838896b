"""Typed readers of environment variables: a missing or malformed value stops the start with one clear line."""

import ipaddress
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def text(name: str, default: str | None = None, *, environ: Mapping[str, str] = os.environ) -> str:
    """The variable's value; without a default it must be set and not empty."""
    value = environ.get(name, default)
    if value is None or (default is None and not value):
        raise ImproperlyConfigured(f"{name} is not set. Mailroom cannot start without it; see the README.")
    return value


def boolean(name: str, default: bool, *, environ: Mapping[str, str] = os.environ) -> bool:
    value = environ.get(name)
    if value is None:
        return default
    word = value.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be one of 1, true, yes, on, 0, false, no, off; it is {value!r}.")


def integer(name: str, default: int, *, environ: Mapping[str, str] = os.environ) -> int:
    value = environ.get(name)
    if value is None:
        return default
    try:
        return int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number; it is {value!r}.") from None


def words(name: str, default: list[str], *, environ: Mapping[str, str] = os.environ) -> list[str]:
    """A comma-separated list, blanks trimmed and empty items dropped."""
    value = environ.get(name)
    if value is None:
        return default
    return [word.strip() for word in value.split(",") if word.strip()]


def networks(name: str, default: list[str], *, environ: Mapping[str, str] = os.environ) -> list[str]:
    """A comma-separated list of networks such as 203.0.113.0/24 or single addresses."""
    found = words(name, default, environ=environ)
    for network in found:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            raise ImproperlyConfigured(f"{name} holds {network!r}, which is no network.") from None
    return found


def database(name: str, default: str | None = None, *, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """A ``postgresql://user:password@host:port/name?host=/socket/folder`` URL as Django's DATABASES entry."""
    url = text(name, default, environ=environ)
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise ImproperlyConfigured(f"{name} must begin with postgresql://; message metadata lives in Postgres only.")
    query = parse_qs(parts.query)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.get("host", [parts.hostname or ""])[0],
        "PORT": str(parts.port or query.get("port", [""])[0]),
    }


def secret_file(path: Path, *, size: int = 32) -> bytes:
    """A random secret of ``size`` bytes kept in ``path`` with mode 0600, made at first use; hexadecimal on disk.

    Two processes may start together: the file appears whole or not at all, and whoever comes second reads it.
    """
    if not path.exists():
        _make_secret(path, size)
    if path.stat().st_mode & 0o077:
        raise ImproperlyConfigured(f"The key file {path} may be read by others; run: chmod 600 {path}")
    try:
        value = bytes.fromhex(path.read_text().strip())
    except ValueError:
        raise ImproperlyConfigured(f"The key file {path} does not hold a hexadecimal key.") from None
    if len(value) < size:
        raise ImproperlyConfigured(f"The key file {path} holds fewer than {size} bytes.")
    return value


def _make_secret(path: Path, size: int) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileNotFoundError:
        raise ImproperlyConfigured(f"The folder for the key file {path} does not exist.") from None
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(size))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
