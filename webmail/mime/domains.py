"""Domain names of strangers: one form for comparing them (RFC 5890), and who lies below whom.

Pure; nothing here raises for any text.
"""

from typing import Final

_LONGEST = 253  # RFC 1035 section 2.3.4


def ascii_domain(domain: str) -> str:
    """A domain as it is asked for in the DNS: lower case, ``xn--`` labels, no dot at the end; "" for what is none."""
    domain = domain.strip().rstrip(".").lower()
    if not domain or len(domain) > _LONGEST:
        return ""
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain.encode("ascii", "backslashreplace").decode()


def domain_of(address: str) -> str:
    """The domain of an address, of ``@domain`` or of a bare domain, in the form of `ascii_domain`."""
    return ascii_domain(address.strip("<> ").rpartition("@")[2])


def lies_within(domain: str, parent: str) -> bool:
    """Whether ``domain`` is ``parent`` or below it; a parent of one label (a top-level domain) holds nobody.

    Without the list of public suffixes only this direction is safe: who holds ``example.org`` answers for all below it,
    while a tenant ``a.example.org`` must never speak for ``example.org``.
    """
    return "." in parent and (domain == parent or domain.endswith("." + parent))


# Second-level labels under which registries give out names (example.co.uk), where two labels are not yet a site.
_SHARED_NAMES: Final = "ac co com edu go gob gov gouv govt ltd me mil ne net nhs nom or org plc sch"
_SHARED: Final = frozenset(_SHARED_NAMES.split())


def site(host: str) -> str:
    """The part of a host that one owner registers, by a rule of thumb (two labels, three below shared ones)."""
    labels = host.rstrip(".").split(".")
    if len(labels) > 2 and labels[-2] in _SHARED and len(labels[-1]) == 2:
        return ".".join(labels[-3:])
    return ".".join(labels[-2:])
