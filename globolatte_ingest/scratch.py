"""The relations that a load or a retraction works on, gone with its transaction: what they are called, and their columns.

They are all defined before the first statement that writes (see `resources.warehouse.warehouse.Transaction`). What is in them is said where
they are filled: `load_statements`, `ownership`, `retraction`.
"""

from typing import TYPE_CHECKING

from globolatte_ingest.reading.sales import SALES_COLUMNS
from resources.warehouse.warehouse import Transaction

if TYPE_CHECKING:
    import pyarrow as pa

SALE = (
    "business_unit varchar, business_date date, transaction_id varchar, order_id varchar, product_id varchar, customer_id varchar, "
    "quantity bigint, total_price decimal(18, 2), transaction_date timestamp, payment_method varchar, weather varchar, "
    "load_id varchar, row_number bigint"
)
CONTESTED = f"{SALE}, is_waiting boolean, priority bigint, is_new boolean, place_in_file bigint"
TEXTS = (
    "business_unit_text varchar, product_id varchar, customer_id varchar, quantity_text varchar, total_price_text varchar, "
    "transaction_date_text varchar, payment_method varchar, weather_text varchar"
)

TABLES = {
    "affected_days": "business_unit varchar, business_date date",
    "batch_loads": "load_number integer, load_id varchar, path varchar, sha256 varchar, sequence bigint, business_unit varchar, "
    "business_date date, number_format varchar, date_format varchar, priority bigint",
    "day_loads": "load_id varchar, path varchar, priority bigint",
    "corrected": "load_number integer, row_number bigint, "
    + ", ".join(f"{column} varchar" for column in SALES_COLUMNS),
    "judged": "load_number integer, load_id varchar, row_number bigint, business_unit varchar, business_date date, "
    f"transaction_id varchar, order_id varchar, {TEXTS}, date_format varchar, reason varchar",
    "rejected": "load_id varchar, row_number bigint, reason varchar, detail varchar, business_unit varchar, business_date date, "
    f"transaction_id varchar, order_id varchar, {TEXTS}, raw_text varchar",
    "raw_lines": "load_id varchar, row_number bigint, line_number bigint, raw_text varchar",
    "replaced": "load_id varchar, business_date date, rows_loaded bigint, successor varchar",
    "contenders": "load_id varchar, priority bigint, is_new boolean",
    "contested_ids": "id decimal(20, 0)",
    "contested": CONTESTED,
    "settled": f"{CONTESTED}, place bigint",
    "moved_loads": "load_id varchar",
    "touched": "load_id varchar, rows_loaded bigint, rows_quarantined bigint",
}
"""Scratch tables, by name."""


def staged() -> "dict[str, pa.Schema]":
    """The columns of what is staged while a batch is loaded, by name."""
    import pyarrow as pa

    from globolatte_ingest.ledger_writing import ledger_table

    sales = [(column, pa.string()) for column in SALES_COLUMNS]
    load_ids = pa.schema([("load_id", pa.string())])
    return {
        "batch_ledger": pa.schema(
            [
                ("load_number", pa.int32()), ("load_id", pa.string()), ("path", pa.string()), ("sha256", pa.string()),
                ("sequence", pa.int64()), ("business_unit", pa.string()), ("business_date", pa.date32()),
                ("number_format", pa.string()), ("date_format", pa.string()),
            ]
        ),
        "incoming": pa.schema([*sales, ("row_number", pa.int64()), ("load_number", pa.int32())]),
        "unreadable": pa.schema(
            [
                ("load_number", pa.int32()), ("row_number", pa.int64()), ("reason", pa.string()), ("detail", pa.string()),
                ("raw_text", pa.string()),
            ]
        ),
        "found_lines": pa.schema(
            [("row_number", pa.int64()), ("line_number", pa.int64()), ("raw_text", pa.large_string()), ("load_id", pa.string())]
        ),
        "held_loads": load_ids,
        "settled_entries": load_ids,
        "ledger_rows": ledger_table([]).schema,
    }  # fmt: skip


def define(transaction: Transaction) -> None:
    """Defines all of it, empty."""
    for name, columns in TABLES.items():
        transaction.scratch(name, columns)
    for name, schema in staged().items():
        transaction.stage(name, schema.empty_table())
