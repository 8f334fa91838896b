"""Sealing of mail credentials at rest: envelope encryption with AES-256-GCM (security criteria S55, S56).

Invariants. Every record has its own data key (DEK); the DEK is wrapped by a key-encryption key (KEK) that never
enters the database. Each ciphertext is bound by its additional authenticated data to table, row, field and tenant, so
a token copied to another row does not open. Nonces are 96 random bits. Nothing here logs, and errors carry no bytes.

Formats, base64url text: ``wrapped = 1.<kek id>.<nonce+ct>`` and ``sealed = 1.<nonce+ct>``.
"""

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = "1"
_NONCE = 12


class SealBroken(Exception):
    """A sealed value does not open: wrong key, wrong row, or bytes that were changed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value lives; becomes its additional authenticated data."""

    table: str
    row: str
    field: str
    tenant: str

    def bind(self) -> bytes:
        return "|".join((f"v{_VERSION}", self.table, self.row, self.field, self.tenant)).encode()


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """Key-encryption keys by id; ``current`` wraps new data keys, the others still open old ones (rotation)."""

    keys: Mapping[str, bytes]
    current: str

    @classmethod
    def of(cls, *secrets: bytes) -> "KeyRing":
        """The first secret becomes current. Each is stretched to 256 bits and named by a fingerprint."""
        keys = {}
        for secret in secrets:
            key = hashlib.blake2b(secret, digest_size=32, person=b"mailroom-kek").digest()
            keys[hashlib.blake2b(key, digest_size=4).hexdigest()] = key
        return cls(keys=keys, current=next(iter(keys)))


def new_data_key(ring: KeyRing, place: Place) -> str:
    """A fresh wrapped data key for the record at ``place``."""
    return _wrap(ring, os.urandom(32), place)


def rewrap(ring: KeyRing, wrapped: str, place: Place) -> str:
    """The same data key wrapped by the ring's current KEK; used when a KEK is replaced."""
    return _wrap(ring, _unwrap(ring, wrapped, place), place)


def seal(ring: KeyRing, wrapped: str, plain: str, place: Place, *, key_place: Place) -> str:
    """``plain`` sealed for ``place`` by the data key that was wrapped for ``key_place``."""
    return f"{_VERSION}.{_encrypt(_unwrap(ring, wrapped, key_place), plain.encode(), place)}"


def open_sealed(ring: KeyRing, wrapped: str, sealed: str, place: Place, *, key_place: Place) -> str:
    """The plain text; raises SealBroken when key, place or bytes do not belong together."""
    version, _, token = sealed.partition(".")
    if version != _VERSION:
        raise SealBroken("unknown seal version")
    return _decrypt(_unwrap(ring, wrapped, key_place), token, place).decode()


def _wrap(ring: KeyRing, data_key: bytes, place: Place) -> str:
    return f"{_VERSION}.{ring.current}.{_encrypt(ring.keys[ring.current], data_key, place)}"


def _unwrap(ring: KeyRing, wrapped: str, place: Place) -> bytes:
    version, kek, token = [*wrapped.split("."), "", ""][:3]
    if version != _VERSION or kek not in ring.keys:
        raise SealBroken("the key that sealed this is not loaded")
    return _decrypt(ring.keys[kek], token, place)


def _encrypt(key: bytes, plain: bytes, place: Place) -> str:
    nonce = os.urandom(_NONCE)
    return base64.urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, plain, place.bind())).decode()


def _decrypt(key: bytes, token: str, place: Place) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(token)
        return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], place.bind())
    except (InvalidTag, ValueError):
        raise SealBroken("the seal does not open here") from None
