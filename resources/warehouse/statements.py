"""The statements by which whole tables are read and replaced: the same on every engine. Names are checked, values are bound."""

from collections.abc import Mapping, Sequence

from resources.warehouse.dialect import checked


def selection(
    table: str, columns: Sequence[str], where: Mapping[str, object], order_by: Sequence[str]
) -> tuple[str, list[object]]:
    """The query for the rows in which each column of `where` equals its value, and what is bound in it; all columns unless named."""
    checked(table, *columns, *where, *order_by)
    sql = f"select {', '.join(columns) or '*'} from {table}"
    if where:
        sql += " where " + " and ".join(f"{column} = ?" for column in where)
    if order_by:
        sql += f" order by {', '.join(order_by)}"
    return sql, list(where.values())


def replacement(table: str, columns: Sequence[str], where: Mapping[str, object]) -> tuple[str, str, list[object]]:
    """What deletes the rows that match `where`, what inserts those of the relation `replacement`, and what the first one binds."""
    checked(table, *where, *columns)
    condition = " and ".join(f"{column} = ?" for column in where) or "true"
    names = ", ".join(columns)
    insertion = f"insert into {table} ({names}) select {names} from replacement"
    return f"delete from {table} where {condition}", insertion, list(where.values())
