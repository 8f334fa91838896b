"""Some columns of a model, for plain statements that every page runs: building these took longer than their answer."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model

M = TypeVar("M", bound=Model)


class Columns(Generic[M]):
    """``sql`` names the columns of a table that the statement calls ``alias``; the rest is read when it is asked for.

    The model is the only one that knows its columns: a name it does not have is a KeyError when the module is loaded.
    Without ``names`` all but those of ``without``.
    """

    def __init__(self, model: type[M], alias: str, names: Iterable[str] = (), *, without: Iterable[str] = ()) -> None:
        fields = {field.attname: field for field in model._meta.concrete_fields}
        left_out = {fields[name].attname for name in without}
        wanted = {fields[name].attname for name in names} or fields.keys() - left_out
        self._model = model
        self._names = [name for name in fields if name in wanted]  # `from_db` wants them in the model's order
        self._converters = [
            (at, fields[name].from_db_value)  # type: ignore[attr-defined]  # JSON has one
            for at, name in enumerate(self._names)
            if hasattr(fields[name], "from_db_value")
        ]
        self._key = self._names.index(model._meta.pk.attname)
        self.count = len(self._names)
        self.sql = ", ".join(f"{alias}.{fields[name].column}" for name in self._names)

    def row(self, values: Sequence[Any]) -> M:
        """The model's instance for what the statement returned for `sql`."""
        if self._converters:
            values = list(values)
            for at, convert in self._converters:
                values[at] = convert(values[at], None, connection)
        return self._model.from_db(DEFAULT_DB_ALIAS, self._names, values)

    def take(self, values: Iterator[Any]) -> M:
        """The same for a statement that returns several of them in turn: takes its own off ``values``."""
        return self.row(tuple(islice(values, self.count)))

    def take_joined(self, values: Iterator[Any]) -> M | None:
        """The same where a LEFT JOIN may have found nothing."""
        own = tuple(islice(values, self.count))
        return None if own[self._key] is None else self.row(own)
