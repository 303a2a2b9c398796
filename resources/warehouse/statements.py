"""The statements by which whole tables are read and replaced: the same on every engine. Names are checked, values are bound."""

from collections.abc import Mapping, Sequence

from resources.warehouse.dialect import checked


def selection(
    table: str,
    columns: Sequence[str] = (),
    where: Mapping[str, object] | None = None,
    order_by: Sequence[str] = (),
    between: Mapping[str, tuple[object, object]] | None = None,
) -> tuple[str, list[object]]:
    """The query of `Warehouse.read`, and what is bound in it."""
    where, between = where or {}, between or {}
    checked(table, *columns, *where, *between, *order_by)
    sql = f"select {', '.join(columns) or '*'} from {table}"
    conditions = [*(f"{column} = ?" for column in where), *(f"{column} between ? and ?" for column in between)]
    if conditions:
        sql += f" where {' and '.join(conditions)}"
    if order_by:
        sql += f" order by {', '.join(order_by)}"
    return sql, [*where.values(), *(end for ends in between.values() for end in ends)]


def replacement(
    table: str, columns: Sequence[str], where: Mapping[str, object], source: str = "replacement"
) -> tuple[str, str, list[object]]:
    """What deletes the rows that match `where`, what inserts those of the relation `source`, and what the first one binds."""
    checked(table, source, *where, *columns)
    condition = " and ".join(f"{column} = ?" for column in where) or "true"
    names = ", ".join(columns)
    insertion = f"insert into {table} ({names}) select {names} from {source}"
    return f"delete from {table} where {condition}", insertion, list(where.values())
