"""A certificate authority of the demo's own, and a certificate from it for `localhost`.

Both are made once and kept, so that whoever trusted the authority yesterday still does today.
"""

import ipaddress
import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=3650)
RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class DemoCertificate:
    """Paths of the server's chain and key, and the authority that clients trust (path and PEM text)."""

    cert: Path
    key: Path
    ca: Path
    ca_pem: str


def ensure_certificate(directory: Path) -> DemoCertificate:
    """The demo's certificate in `directory`, made there (files 0600) when missing or soon to expire."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    cert, key, ca = directory / "server.pem", directory / "server.key", directory / "ca.pem"
    if not (cert.exists() and key.exists() and ca.exists()) or _expires_soon(cert):
        _make(cert=cert, key=key, ca=ca)
    return DemoCertificate(cert=cert, key=key, ca=ca, ca_pem=ca.read_text())


def server_context(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    return context


def _expires_soon(cert: Path) -> bool:
    try:
        parsed = x509.load_pem_x509_certificate(cert.read_bytes())
    except ValueError:
        return True
    return parsed.not_valid_after_utc < datetime.now(UTC) + RENEW_BEFORE


def _make(*, cert: Path, key: Path, ca: Path) -> None:
    ca_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Mailroom demo authority")])
    ca_cert = (
        _builder(subject=ca_name, issuer=ca_name, public=ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    names = [x509.DNSName("localhost"), *(x509.IPAddress(ipaddress.ip_address(a)) for a in ("127.0.0.1", "::1"))]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    server_cert = (
        _builder(subject=subject, issuer=ca_name, public=server_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    # the authority's key is not kept: nothing else is ever to be signed with it
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    _write(ca, ca_cert.public_bytes(pem))
    _write(key, server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    _write(cert, server_cert.public_bytes(pem))


def _builder(*, subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFETIME)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, content: bytes) -> None:
    """Write with mode 0600 from the first byte, in one step."""
    partial = path.with_suffix(path.suffix + ".new")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    partial.replace(path)
