"""Some columns of a model, for plain statements that every page runs: building these took longer than their answer."""

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

M = TypeVar("M", bound=Model)


class Columns(Generic[M]):
    """``sql`` names the columns of a table that the statement calls ``alias``; the rest is read when it is asked for.

    The model is the only one that knows its columns: a name it does not have is a KeyError when the module is loaded.
    Fields that a database adapter has to convert (JSON, arrays of them) do not belong here.
    """

    def __init__(self, model: type[M], alias: str, names: Iterable[str]) -> None:
        fields = {field.attname: field for field in model._meta.concrete_fields}
        wanted = {fields[name].attname for name in names}
        self._model = model
        self._names = [name for name in fields if name in wanted]  # `from_db` wants them in the model's order
        self.count = len(self._names)
        self.sql = ", ".join(f"{alias}.{fields[name].column}" for name in self._names)

    def row(self, values: Sequence[Any]) -> M:
        """The model's instance for what the statement returned for `sql`."""
        return self._model.from_db(DEFAULT_DB_ALIAS, self._names, values)
