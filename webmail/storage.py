"""Raw messages and attachments by digest, through Django's storage API (files by default, S3-compatible by setting).

Contents are kept per account: equal bytes of two accounts are two files, so nobody can learn what another holds. What
stands under a digest is whole: a name that exists is never written again, so half a content would stay for ever.
"""

import hashlib
import mmap
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, cast

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, default_storage


class WholeFiles(FileSystemStorage):
    """Files that get their name when they are written to the end, and never do if the disk is full before."""

    def _save(self, name: str, content: "File[bytes]") -> str:
        unfinished = f"{name}.{uuid.uuid4().hex}.part"
        try:
            written = super()._save(unfinished, content)  # type: ignore[misc]  # documented, and not in the stubs
            os.replace(self.path(written), self.path(name))
        except BaseException:
            self.delete(unfinished)
            raise
        return name


def path(account_id: int, digest: str) -> str:
    return f"{account_id}/{digest[:2]}/{digest}"


def put(account_id: int, data: bytes) -> str:
    """Stores the bytes and returns their SHA-256 in hexadecimal."""
    digest = hashlib.sha256(data).hexdigest()
    name = path(account_id, digest)
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(data))
    return digest


class Spool:
    """A file being written whose digest is known at its end; constant memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.size = 0
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self.file.write(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.write(piece)

    def keep(self, account_id: int) -> str:
        """Moves what was written into storage and returns its digest."""
        digest = self._hash.hexdigest()
        name = path(account_id, digest)
        if not default_storage.exists(name):
            self.file.flush()
            if not _named(self.file, name):
                self.file.seek(0)
                default_storage.save(name, File(self.file))
        return digest


@contextmanager
def spool() -> Iterator[Spool]:
    """A Spool on a temporary file that is gone afterwards unless it was kept."""
    with _scratch() as file:
        yield Spool(file)


def _named(file: IO[bytes], name: str) -> bool:
    """Gives the temporary file itself that name, where the storage is the disk it lies on; False where it cannot."""
    if not isinstance(default_storage, FileSystemStorage):
        return False
    place, mode = default_storage.path(name), default_storage.file_permissions_mode
    os.makedirs(os.path.dirname(place), exist_ok=True)
    try:
        descriptor = file.fileno()
        os.fchmod(descriptor, 0o644 if mode is None else mode)
        # linkat(2) with AT_SYMLINK_FOLLOW, which Python asks for only beside a descriptor; it counts for nothing here
        os.link(f"/proc/self/fd/{descriptor}", place, src_dir_fd=descriptor, follow_symlinks=True)
    except FileExistsError:
        return True  # another was quicker, with the same content
    except OSError:
        return False
    return True


def _scratch() -> IO[bytes]:
    """A temporary file on the disk of the storage: the system's own folder for them may lie in memory."""
    if not isinstance(default_storage, FileSystemStorage):
        return tempfile.TemporaryFile()
    place = default_storage.location
    os.makedirs(place, exist_ok=True)
    try:
        return open(os.open(place, os.O_TMPFILE | os.O_RDWR, 0o600), "w+b")
    except OSError:  # a file system that knows no files without a name
        return tempfile.TemporaryFile(dir=place)


def read(account_id: int, digest: str) -> bytes:
    with default_storage.open(path(account_id, digest)) as file:
        return bytes(file.read())


def open_file(account_id: int, digest: str) -> "File[bytes]":
    """The stored file, open for reading; the caller closes it."""
    return default_storage.open(path(account_id, digest))


class _Mapped(mmap.mmap):
    """A file seen as bytes, read from disk where it is looked at; what `mime.parse` asks of bytes and mmap lacks."""

    def startswith(self, prefix: bytes | tuple[bytes, ...], start: int = 0, end: int | None = None) -> bool:
        longest = max(map(len, prefix)) if isinstance(prefix, tuple) else len(prefix)
        stop = start + longest if end is None else min(end, start + longest)
        return self[start:stop].startswith(prefix)

    def index(self, piece: bytes, start: int = 0, end: int | None = None) -> int:
        found = self.find(piece, start) if end is None else self.find(piece, start, end)
        if found < 0:
            raise ValueError("not there")
        return found


@contextmanager
def mapped(account_id: int, digest: str) -> Iterator[bytes]:
    """A stored file as the bytes it holds, of any size, in memory only where it is read. Raises FileNotFoundError."""
    with open_file(account_id, digest) as stored, _on_disk(stored) as file:
        if not os.fstat(file.fileno()).st_size:
            yield b""
            return
        with _Mapped(file.fileno(), 0, access=mmap.ACCESS_READ) as seen:
            yield cast(bytes, seen)


@contextmanager
def _on_disk(stored: "File[bytes]") -> Iterator[IO[bytes]]:
    """The file itself, or a copy where the storage is no disk."""
    if isinstance(default_storage, FileSystemStorage):
        yield cast(IO[bytes], stored)
        return
    with _scratch() as copy:
        shutil.copyfileobj(stored, copy)
        copy.flush()
        yield copy


def exists(account_id: int, digest: str) -> bool:
    return bool(digest) and default_storage.exists(path(account_id, digest))


def write_file(name: str, data: bytes) -> None:
    """A file under a name of the caller's, in place of one that may be there; whole or not at all."""
    remove_file(name)
    default_storage.save(name, ContentFile(data))


def open_name(name: str) -> "File[bytes]":
    """The file under that name, open for reading; the caller closes it. Raises FileNotFoundError."""
    return default_storage.open(name)


def remove_file(name: str) -> None:
    """Nothing when it is not there."""
    default_storage.delete(name)
