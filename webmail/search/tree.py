"""The search tree. Leaves carry what was asked in the asker's words; ``words`` are the terms an index knows it by."""

from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

from webmail.search.words import query_terms

TextField = Literal["text", "from", "to", "cc", "subject", "filename"]
State = Literal["unread", "read", "starred", "answered", "draft"]


@dataclass(frozen=True, slots=True)
class Text:
    """Words next to each other, in one field or ("text") in any. ``prefix``: the last may be the start of a word."""

    value: str
    field: TextField = "text"
    prefix: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(query_terms(self.value))


@dataclass(frozen=True, slots=True)
class In:
    """In the mailbox of this name or role, as typed."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Is:
    state: State


@dataclass(frozen=True, slots=True)
class Label:
    """Carries the label of this name, as typed."""

    name: str


@dataclass(frozen=True, slots=True)
class HasAttachment:
    pass


@dataclass(frozen=True, slots=True)
class Dated:
    """On or after ``since`` and before ``until``; None leaves a side open. Whole days of the reader's time zone."""

    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Larger:
    octets: int


@dataclass(frozen=True, slots=True)
class Smaller:
    octets: int


@dataclass(frozen=True, slots=True)
class Not:
    node: "Node"


@dataclass(frozen=True, slots=True)
class And:
    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    nodes: tuple["Node", ...]


Node: TypeAlias = Text | In | Is | Label | HasAttachment | Dated | Larger | Smaller | Not | And | Or
