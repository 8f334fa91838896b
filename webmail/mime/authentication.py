"""What the receiving mail server found out about a message's sender: Authentication-Results (RFC 8601), read by rules
that a sender cannot use for itself (security S46), and the fields a DKIM signature covers (RFC 6376).

Whoever receives a message puts its fields above those already there, and anybody may write such a field. So:

- A field counts when its authserv-id is one the administrator named; everything else is as if it were not there.
- Fields are taken from the top; foreign ones above belong to later stations, the first foreign one below ends it.
- Each named service speaks once, in its topmost field, whatever that is about: a forged field with its name lies
  further down, even where the server forgets to remove it (RFC 8601 section 5). Further fields of the same service
  (servers whose filters write one each) never make a sender verified; where the topmost one does, they are evidence to
  show, of each method the first. Only of providers that are known to write a field for each check, and to remove forged
  ones, does the first field about the sender speak.
- ARC-Authentication-Results is a claim of earlier stations and is not read.

Invariants: never raises; linear; sizes and counts are capped before anything is taken apart.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from webmail.mime.domains import ascii_domain, domain_of, lies_within

MAX_FIELDS = 20
MAX_RESULTS = 60
MAX_SIGNATURES = 20
_MAX_VALUE = 4_000
_MAX_KEPT = 300  # characters of a property that are kept
_MAX_COVERED = 200

Standing = Literal["verified", "failed", "unverified", "unknown"]


@dataclass(frozen=True, slots=True)
class Result:
    """One ``method=result``, both in lower case; ``properties`` by ``type.name``, ``remarks`` are its comments."""

    method: str
    result: str
    properties: Mapping[str, str] = field(default_factory=dict)
    remarks: str = ""

    @property
    def domain(self) -> str:
        """The domain that the result is about, in its ASCII form; "" when it names none."""
        for name in _DOMAIN_PROPERTIES.get(self.method, ()):
            if found := domain_of(self.properties.get(name, "")):
                return found
        return ""

    @property
    def lenient(self) -> bool:
        """Of DMARC: whether the domain asks for nothing when the check fails (RFC 7489 section 6.3, ``p=none``)."""
        told = self.properties.get("policy.published-domain-policy") or self.properties.get("policy.dmarc") or ""
        return told.lower() == "none" or _ASKS_NOTHING.search(self.remarks) is not None


@dataclass(frozen=True, slots=True)
class Report:
    """One field. ``authserv_id`` is in lower case; "" when the field names no service, which then is not believed."""

    authserv_id: str
    results: tuple[Result, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be said of the sender.

    verified: DMARC passed for the From domain, or a DKIM signature of that domain, or of one above it, did.
    failed: DMARC failed. unverified: checks were made and show neither. unknown: no named service said anything.
    ``spf``, ``dkim`` and ``dmarc`` are what was counted, ``services`` who said it, ``by`` the domain that verified.
    """

    standing: Standing = "unknown"
    by: str = ""
    services: tuple[str, ...] = ()
    spf: tuple[Result, ...] = ()
    dkim: tuple[Result, ...] = ()
    dmarc: tuple[Result, ...] = ()

    @property
    def lenient(self) -> bool:
        return all(result.lenient for result in self.dmarc if result.result != "pass")


@dataclass(frozen=True, slots=True)
class Signature:
    """Of a DKIM-Signature: domain, selector, the beginning of the signature, and the fields it claims to cover."""

    domain: str
    selector: str
    start: str
    covers: tuple[str, ...]


UNKNOWN: Final = Verdict()
_FIELD_FOR_EACH_CHECK: Final = frozenset({".icloud.com", ".messagingengine.com"})
_DOMAIN_PROPERTIES: Final[Mapping[str, tuple[str, ...]]] = {
    "spf": ("smtp.mailfrom", "smtp.mail", "smtp.from", "smtp.helo"),
    "dkim": ("header.d", "header.i"),
    "dmarc": ("header.from",),
}
_OF_SENDER: Final = frozenset(_DOMAIN_PROPERTIES)
_ASKS_NOTHING: Final = re.compile(r"(?<!\w)p\s*=\s*none(?!\w)", re.IGNORECASE)


# --- reading ---------------------------------------------------------------------------------------------------------

_PLAIN_TOKEN: Final = re.compile(r'[;()"]|[^;()"]++')
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|' + _PLAIN_TOKEN.pattern, re.DOTALL)
_PAREN: Final = re.compile(r"\\.|[()]", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_-]*+"
_METHOD: Final = re.compile(rf"\s*+({_NAME})\s*+(?:/\s*+\d++\s*+)?=\s*+({_NAME})(?![^\s])")
_PROPERTY: Final = re.compile(
    rf'(?P<name>{_NAME}(?:\s*+\.\s*+{_NAME})?)\s*+=\s*+(?P<value>(?:"(?:[^"\\]|\\.)*+"|[^\s"])*+)'
    r'|"(?:[^"\\]|\\.)*+"|[^\s"]++|"',
    re.DOTALL,
)


@dataclass(slots=True)
class _Piece:
    """What stands between two semicolons, comments apart."""

    text: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def parse_report(value: str) -> Report:
    """One unfolded Authentication-Results value (RFC 8601 section 2.2)."""
    pieces = _pieces(value[:_MAX_VALUE])
    first = next(pieces)
    head = "".join(first.text).split(None, 2)
    name = _unquoted(head[0]).lower() if head and "=" not in head[0] else ""
    if len(head) > 1 and head[1] != "1":  # a version that is not ours may mean anything (section 2.5)
        return Report(name)
    results: list[Result] = []
    for piece in pieces:
        result = _result(piece)
        if result is not None:
            results.append(result)
        if len(results) >= MAX_RESULTS:
            break
    return Report(ascii_domain(name), tuple(results))


def _pieces(value: str) -> Iterator[_Piece]:
    piece, position, pattern = _Piece(), 0, _TOKEN
    while position < len(value):
        token = pattern.match(value, position)
        assert token is not None  # every character begins one of them
        position = token.end()
        text = token[0]
        if text == '"':
            pattern = _PLAIN_TOKEN  # one that never closes: all later ones are plain, so that this stays linear
        if text == "(":
            end = _comment_end(value, position)
            piece.remarks.append(value[position : end - 1] if end else value[position:])
            piece.text.append(" ")
            position = end or len(value)
        elif text == ";":
            yield piece
            piece = _Piece()
        else:
            piece.text.append(text)
    yield piece


def _comment_end(value: str, start: int) -> int:
    depth = 1
    for paren in _PAREN.finditer(value, start):
        depth += {"(": 1, ")": -1}.get(paren[0], 0)
        if depth == 0:
            return paren.end()
    return 0


def _result(piece: _Piece) -> Result | None:
    text = "".join(piece.text)
    method = _METHOD.match(text)
    if method is None:
        return None  # "none", or nothing at all
    properties: dict[str, str] = {}
    for found in _PROPERTY.finditer(text, method.end()):
        if found["name"]:
            name = "".join(found["name"].split()).lower()
            properties.setdefault(name, _unquoted(found["value"])[:_MAX_KEPT])
    return Result(method[1].lower(), method[2].lower(), properties, " ".join(piece.remarks)[:_MAX_KEPT])


def _unquoted(text: str) -> str:
    if text[:1] != '"':
        return text
    inside, mark, rest = text[1:].rpartition('"')
    return _ESCAPED.sub(r"\1", inside) + rest if mark else text


# --- judging ---------------------------------------------------------------------------------------------------------


def judge(values: Sequence[str], *, trusted: Collection[str], author: str, ambiguous: bool) -> Verdict:
    """The verdict on the author address, from the message's Authentication-Results, topmost first.

    ``trusted`` are authserv-ids in lower case; one that begins with a dot stands for every host below it.
    ``ambiguous`` says that the message names its author more than once or unreadably: then nothing is ever verified.
    """
    try:
        return _judge(values, trusted, author, ambiguous) if trusted else UNKNOWN
    except Exception:  # totality (S50): a defect here must cost the mark of one sender, not the message
        return UNKNOWN


def _judge(values: Sequence[str], trusted: Collection[str], author: str, ambiguous: bool) -> Verdict:
    speaking: list[Result] = []
    further: list[Result] = []
    heard: set[str] = set()
    services: dict[str, None] = {}
    for value in values[:MAX_FIELDS]:
        report = parse_report(value)
        service = named_by(report.authserv_id, trusted)
        if not service:
            if services:
                break
            continue
        services[report.authserv_id] = None
        told = [result for result in report.results if result.method in _OF_SENDER]
        if service in heard:
            said = {result.method for result in (*speaking, *further)}
            further += [result for result in told if result.method not in said]
        else:
            speaking += told
            if told or not report.results or service not in _FIELD_FOR_EACH_CHECK:
                heard.add(service)  # also by "none": who says that nothing was checked has spoken (section 2.2)
    if not services:
        return UNKNOWN
    standing, by = _standing(speaking, domain_of(author) if "@" in author and not ambiguous else "")
    shown = (*speaking, *further) if standing == "verified" else speaking
    found = {method: tuple(one for one in shown if one.method == method) for method in _OF_SENDER}
    return Verdict(standing, by, tuple(services), found["spf"], found["dkim"], found["dmarc"])


def named_by(authserv_id: str, trusted: Collection[str]) -> str:
    """The entry of ``trusted`` that names this service; "" when none does."""
    if not authserv_id:
        return ""
    if authserv_id in trusted:
        return authserv_id
    return next((name for name in trusted if name[:1] == "." and authserv_id.endswith(name)), "")


def _standing(results: Sequence[Result], domain: str) -> tuple[Standing, str]:
    dmarc = [result for result in results if result.method == "dmarc"]
    if any(result.result in ("fail", "reject", "quarantine") for result in dmarc):
        return "failed", ""
    if not domain:
        return "unverified" if results else "unknown", ""
    passed = [result.domain for result in dmarc if result.result == "pass"]
    if passed and len(passed) == len(dmarc) and all(lies_within(domain, name) for name in passed):
        return "verified", passed[0]
    for result in results:
        if result.method == "dkim" and result.result == "pass" and lies_within(domain, result.domain):
            return "verified", result.domain
    return "unverified" if results else "unknown", ""


# --- what a signature covers -----------------------------------------------------------------------------------------


def parse_signatures(values: Sequence[str]) -> tuple[Signature, ...]:
    """The DKIM-Signature fields of a message (RFC 6376 section 3.5), unfolded; what is no tag list is left out."""
    found = (_signature(value) for value in values[:MAX_SIGNATURES])
    return tuple(signature for signature in found if signature is not None)


def _signature(value: str) -> Signature | None:
    tags: dict[str, str] = {}
    for tag in value[: 4 * _MAX_VALUE].split(";"):
        name, equals, text = tag.partition("=")
        name = name.strip()
        if equals and name in tags:
            return None  # section 3.2: a tag that stands twice voids the whole
        tags[name] = "".join(text.split())
    covers = tuple(name.lower() for name in tags.get("h", "").split(":")[:_MAX_COVERED] if name)
    domain = ascii_domain(tags.get("d", ""))
    if not domain or not covers:
        return None
    return Signature(domain, tags.get("s", "")[:_MAX_KEPT].lower(), tags.get("b", "")[:16], covers)


def covered_fields(verdict: Verdict, signatures: Sequence[Signature]) -> frozenset[str]:
    """The names, in lower case, of the fields that a passing DKIM signature covers, whoever signed.

    A result that fits several signatures counts for what all of them cover, since it does not say which one passed.
    """
    covered: set[str] = set()
    for result in verdict.dkim:
        if result.result == "pass":
            fitting = [set(one.covers) for one in signatures if _fits(result, one)]
            covered |= set.intersection(*fitting) if fitting else set()
    return frozenset(covered)


def _fits(result: Result, signature: Signature) -> bool:
    properties = result.properties
    if "header.d" in properties:
        if domain_of(properties["header.d"]) != signature.domain:
            return False
    elif not lies_within(domain_of(properties.get("header.i", "")), signature.domain):
        return False
    if properties.get("header.s", signature.selector).lower() != signature.selector:
        return False
    start = properties.get("header.b", "")
    return signature.start.startswith(start[:16]) if start else True
