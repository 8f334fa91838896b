"""The few ways the sync speaks SQL: ask, change, COPY, draw ids. Statements are constants of their modules."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.db import connection

_DRAW = "SELECT nextval(%s) FROM generate_series(1, %s)"
Values = Sequence[Any] | Mapping[str, Any]


def ask(sql: str, values: Values) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def change(sql: str, values: Values) -> int:
    """Runs a statement; returns how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.rowcount)


def copy(target: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Writes rows by ``COPY <target> FROM STDIN``; ``target`` is a table with its columns."""
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,  # Django does so for execute only
        cursor.cursor.copy(f"COPY {target} FROM STDIN") as stream,
    ):
        for row in rows:
            stream.write_row(row)


def array(texts: Collection[str]) -> str:
    """A text array as COPY takes it; quicker than a list, which the driver looks through for the type of its items."""
    if not texts:
        return "{}"
    return "{" + ",".join(['"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts]) + "}"


def draw(table: str, count: int) -> list[int]:
    """So many new ids of a table, ascending."""
    return [row[0] for row in ask(_DRAW, [f"{table}_id_seq", count])] if count else []
