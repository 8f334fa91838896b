import ipaddress
import pickle
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.demo.tls import DemoCertificate
from tests.support.scripted import Client, scripted
from webmail.protocols import net
from webmail.protocols.errors import ConnectionLost, HostNotAllowed, TlsFailed, Unreachable
from webmail.protocols.net import Credential, Endpoint, Secret, dial, resolve_and_vet, vet_address


def answers(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    return lambda host, port: addresses


@pytest.fixture
def no_connects(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """What the test tried to connect to: must stay empty."""
    tried: list[object] = []

    def refuse(address: object, *args: object, **kwargs: object) -> socket.socket:
        tried.append(address)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", refuse)
    yield tried
    assert tried == []


# The literals and names that a user may type, with what the name would resolve to where it is one.
FORBIDDEN = [
    ("127.0.0.1", None),
    ("127.1", None),
    ("2130706433", None),
    ("0x7f000001", None),
    ("0177.0.0.1", None),
    ("0", None),
    ("0.0.0.0", None),
    ("①②⑦.⓪.⓪.①", None),
    ("localhost.", None),
    ("10.0.0.1", None),
    ("172.16.0.1", None),
    ("192.168.0.1", None),
    ("169.254.169.254", None),
    ("100.64.0.1", None),
    ("168.63.129.16", None),
    ("198.18.0.1", None),
    ("224.0.0.1", None),
    ("255.255.255.255", None),
    ("[::1]", None),
    ("[::]", None),
    ("[fe80::1]", None),
    ("[fc00::1]", None),
    ("[fd00:ec2::254]", None),
    ("[::ffff:127.0.0.1]", None),
    ("[64:ff9b::7f00:1]", None),
    ("[2002:7f00:1::]", None),
    ("[::7f00:1]", None),
    ("[ff02::1]", None),
    ("127.0.0.1.nip.io", "127.0.0.1"),
    ("7f000001.nip.io", "127.0.0.1"),
    ("metadata.google.internal", "169.254.169.254"),
    ("alias-to-private.example.org", "192.168.3.4"),
]


@pytest.mark.parametrize(("host", "resolved"), FORBIDDEN)
def test_forbidden_hosts_get_no_connect(host: str, resolved: str | None, no_connects: list[object]) -> None:
    resolver = answers(resolved) if resolved else net.system_resolver
    with pytest.raises(HostNotAllowed):
        dial(Endpoint(host, 993, "tls"), resolver=resolver)


@pytest.mark.parametrize(
    "address",
    [
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
        "64:ff9b:1::a00:1",  # NAT64 of a network's own
        "64:ff9b::a00:1",
        "192.0.0.9",
        "192.88.99.1",
        "240.0.0.1",
        "2001:db8::1",
        "3fff::1",
        "4000::1",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
        "not an address",
        "",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not vet_address(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "193.99.144.80", "2a00:1450:4001:80b::2005", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_pass(address: str) -> None:
    assert vet_address(address)
    assert vet_address(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=4, network="127.0.0.0/8"))
def test_a_private_address_is_private_in_every_wrapping(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    for prefix in (0, 0xFFFF << 32, 0x64FF9B << 96, 0x2002 << 112 | number << 80, 0x20010000 << 96):
        assert not vet_address(ipaddress.IPv6Address(prefix | number))


def test_one_bad_address_refuses_the_name() -> None:
    with pytest.raises(HostNotAllowed):
        resolve_and_vet("mixed.example.org", 993, allow_private=False, resolver=answers("8.8.8.8", "10.0.0.1"))


def test_a_rebinding_name_is_looked_up_once_and_dialled_as_vetted(monkeypatch: pytest.MonkeyPatch) -> None:
    lookups, dialled = iter([["8.8.8.8"], ["127.0.0.1"]]), []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        dialled.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(Unreachable):
        dial(Endpoint("rebind.example.org", 993, "tls"), resolver=lambda host, port: next(lookups))
    assert dialled == [("8.8.8.8", 993)]
    assert list(lookups) == [["127.0.0.1"]]


def test_the_peer_is_checked_after_the_connect(certificates: DemoCertificate, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the socket came to reach a private address, nothing is said to it."""
    really = socket.create_connection
    with scripted(certificates, assert_silent, security="starttls") as server:
        target = ("127.0.0.1", server.endpoint.port)
        monkeypatch.setattr(socket, "create_connection", lambda address, timeout: really(target, timeout=timeout))
        with pytest.raises(HostNotAllowed):
            dial(Endpoint("mail.example.org", 143, "starttls"), resolver=answers("8.8.8.8"))


def wait_silently(client: Client) -> None:
    client.until(b"no such bytes")


def assert_silent(client: Client) -> None:
    assert client.hung_up()


@pytest.mark.parametrize("port", [22, 25, 80, 6379, 8993])
def test_only_mail_ports(port: int, no_connects: list[object]) -> None:
    with pytest.raises(HostNotAllowed):
        dial(Endpoint("mail.example.org", port, "tls"), resolver=answers("8.8.8.8"))


def test_an_administrators_server_may_be_private_on_any_port() -> None:
    assert resolve_and_vet("box", 8993, allow_private=True, resolver=answers("10.0.0.1")) == ("10.0.0.1",)


def test_our_own_networks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net, "_own_networks", ())
    net.forbid_networks(["193.99.144.0/24", "2a00:1450::/32"])
    assert not vet_address("193.99.144.80")
    assert not vet_address("2a00:1450::1")
    assert vet_address("8.8.8.8")


def test_no_such_name_is_unreachable() -> None:
    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    for resolver in (unknown, answers()):
        with pytest.raises(Unreachable):
            resolve_and_vet("nowhere.example.org", 993, allow_private=False, resolver=resolver)


def test_refused_filtered_and_silent_read_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = set()
    for failure in (ConnectionRefusedError(), TimeoutError(), OSError(113, "No route to host")):

        def connect(address: object, timeout: float, failure: OSError = failure) -> socket.socket:
            raise failure

        monkeypatch.setattr(socket, "create_connection", connect)
        with pytest.raises(Unreachable) as caught:
            dial(Endpoint("mail.example.org", 993, "tls"), resolver=answers("8.8.8.8"))
        texts.add(str(caught.value))
    assert len(texts) == 1


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "a b",
        "a\r\nb",
        "a\0b",
        "a\n",
        "a..b",
        "-a.example",
        "x" * 64 + ".example",
        "a." * 140,
        "a/b",
        "u@h",
        "[::1",
        "a:1",
    ],
)
def test_hosts_that_are_none(host: str) -> None:
    with pytest.raises(HostNotAllowed):
        Endpoint(host, 993, "tls")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("IMAP.Example.ORG.", "imap.example.org"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("[2001:DB8::1]", "2001:db8::1"),
    ],
)
def test_host_is_kept_as_a_labels(typed: str, kept: str) -> None:
    assert Endpoint(typed, 993, "tls").host == kept


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_ports_that_are_none(port: int) -> None:
    with pytest.raises(HostNotAllowed):
        Endpoint("mail.example.org", port, "tls")


def test_a_secret_does_not_show_itself() -> None:
    credential = Credential("anna", Secret("hunter2"))
    shown = f"{credential} {credential!r} {credential.secret} {credential.secret:>9} {[credential.secret]}"
    assert "hunter2" not in shown
    assert credential.secret.reveal() == "hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(credential)


@pytest.mark.parametrize("bad", ["a\rb", "a\nb", "a\0b", "a\x01b"])
def test_a_credential_is_one_line(bad: str) -> None:
    for username, secret in (("anna", bad), (bad, "hunter2")):
        with pytest.raises(ValueError, match="no mail server accepts") as caught:
            Credential(username, Secret(secret))
        assert bad not in str(caught.value)


def test_an_echoed_secret_is_blotted_out() -> None:
    credential = Credential("anna", Secret("hunter2"))
    for echo in (b"bad password hunter2", b"PASS aHVudGVyMg==", b"AUTH PLAIN AGFubmEAaHVudGVyMg=="):
        assert credential.redact(echo).endswith("***")


def test_tls_with_a_trusted_authority(certificates: DemoCertificate) -> None:
    with scripted(certificates, lambda client: client.say(b"hello")) as server, dial(server.endpoint) as sock:
        assert isinstance(sock, ssl.SSLSocket)
        assert sock.recv(100) == b"hello\r\n"
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_an_unknown_authority_is_refused(certificates: DemoCertificate) -> None:
    with scripted(certificates, lambda client: None) as server:
        endpoint = Endpoint("localhost", server.endpoint.port, "tls", allow_private=True)
        with pytest.raises(TlsFailed, match="certificate"):
            dial(endpoint)


def test_a_certificate_for_another_name_is_refused(certificates: DemoCertificate) -> None:
    with scripted(certificates, lambda client: None) as server:
        endpoint = Endpoint(
            "mail.example.org", server.endpoint.port, "tls", allow_private=True, ca_pem=certificates.ca_pem
        )
        with pytest.raises(TlsFailed, match=r"mail\.example\.org"):
            dial(endpoint, resolver=answers("127.0.0.1"))


def test_a_server_that_speaks_no_tls(certificates: DemoCertificate) -> None:
    with scripted(certificates, lambda client: client.say(b"220 hello there"), security="starttls") as server:
        endpoint = Endpoint("localhost", server.endpoint.port, "tls", allow_private=True)
        with pytest.raises((TlsFailed, ConnectionLost)):
            dial(endpoint)


def test_a_silent_handshake_ends(certificates: DemoCertificate) -> None:
    with scripted(certificates, wait_silently, security="starttls") as server:
        endpoint = Endpoint("localhost", server.endpoint.port, "tls", allow_private=True)
        with pytest.raises(Unreachable, match="in time"):  # nothing is known of its certificate
            dial(endpoint, connect_timeout=0.3)


def test_the_second_address_is_tried(certificates: DemoCertificate) -> None:
    two = answers("127.0.0.2", "127.0.0.1")
    with (
        scripted(certificates, lambda client: client.say(b"hello"), security="starttls") as server,
        dial(server.endpoint, resolver=two) as sock,
    ):
        assert sock.recv(100) == b"hello\r\n"


def test_verification_cannot_be_turned_off(certificates: DemoCertificate) -> None:
    for ca_pem in ("", certificates.ca_pem):
        context = net.tls_context(Endpoint("mail.example.org", 993, "tls", ca_pem=ca_pem))
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_bad_authority_is_said_so() -> None:
    with pytest.raises(TlsFailed, match="PEM"):
        net.tls_context(Endpoint("mail.example.org", 993, "tls", ca_pem="not a certificate"))
