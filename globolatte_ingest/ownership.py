"""Which file owns a transaction id, and the proof that no row is lost. Loads and retractions both use it for a day of a business unit.

The path that delivered an id first within its unit and date owns it. Whenever a file is added, changed or retracted, ownership is decided
again among the new rows and the valid rows of the day's other files. Of a file's rows with the same id, only the first can own it, so a
duplicate in a file stays one. Only contested ids are considered: those that more than one row has, and those of quarantined duplicates
whose owner may be removed.

Works on the relations of one transaction that `statements` names, and defines them.
"""

import datetime as dt
from dataclasses import dataclass

from globolatte_ingest.reasons import RowReason
from globolatte_ingest.statements import SALES_COLUMN_LIST, SCRATCH, STAGED, TOUCHED, WRONG_COUNTS
from resources.warehouse.dialect import literal
from resources.warehouse.warehouse import Transaction

ID = "hash(business_unit, business_date, transaction_id)"

CONTENDERS = """
select load_id, priority, true as is_new from batch_loads
union all
select load_id, priority, false as is_new from day_loads
"""

CONTESTED_IDS = f"""
select {ID} as id
from sales_data.sales_transactions
where business_date between {{first}} and {{last}} and load_id in (select load_id from contenders)
group by id
having count(*) > 1
union
select {ID} as id
from sales_data.quarantine
where business_date between {{first}} and {{last}} and reason = '{RowReason.DUPLICATE_ACROSS_FILES}'
    and load_id in (select load_id from contenders)
"""

CONTESTED = f"""
with contested_rows as (
    select {SALES_COLUMN_LIST}, false as is_waiting
    from sales_data.sales_transactions
    where business_date between {{first}} and {{last}} and {ID} in (select id from contested_ids)
    union all
    select
        business_unit, business_date, transaction_id, order_id, product_id, customer_id, cast(quantity_text as bigint),
        cast(total_price_text as decimal(18, 2)), cast(transaction_date_text as timestamp), payment_method, weather_text,
        store_id, cast(discount_text as decimal(18, 2)), promotion, currency_text, coalesce(kind_text, 'sale'), refunded_order_id,
        cast(refunded_date_text as date), load_id, row_number, true as is_waiting
    from sales_data.quarantine
    where business_date between {{first}} and {{last}} and reason = '{RowReason.DUPLICATE_ACROSS_FILES}'
        and {ID} in (select id from contested_ids)
)

select
    contested_rows.*, contenders.priority, contenders.is_new,
    row_number() over (partition by contested_rows.load_id, transaction_id order by row_number) as place_in_file
from contested_rows
inner join contenders on contested_rows.load_id = contenders.load_id
"""

DECIDED = """
select
    *,
    row_number() over (
        partition by business_unit, business_date, transaction_id order by priority, load_id, row_number
    ) as place
from contested
where place_in_file = 1 and load_id not in (select load_id from replaced)
"""

MOVED_LOADS = """
select distinct load_id from decided where is_waiting = (place = 1)
"""

REJECT = """
insert into rejected
select
    load_id, row_number, '{reason}', 'transaction ' || transaction_id || ' {fault}',
    business_unit, business_date, transaction_id, order_id, business_unit, product_id,
    customer_id, cast(quantity as varchar), cast(total_price as varchar), cast(transaction_date as varchar), payment_method, weather,
    store_id, cast(discount as varchar), promotion, currency, nullif(kind, 'sale'), refunded_order_id, cast(refunded_date as varchar), null
from {rows}
"""

DELETE_ROWS = """
delete from sales_data.{table}
using (select load_id, row_number from {rows}) as gone
where {table}.business_date between {first} and {last}
    and {table}.load_id = gone.load_id and {table}.row_number = gone.row_number
"""

IN_FILE = "contested where is_new and place_in_file > 1"
LOST = "decided where place > 1 and not is_waiting"
WON = "decided where place = 1 and is_waiting"


class ConservationError(RuntimeError):
    """Rows would be lost or doubled: the transaction is rolled back and nothing of the batch is loaded."""


@dataclass(frozen=True)
class Span:
    """The dates from `first` through `last`. Statements read only these days of the large tables, so their cost depends only on them."""

    first: dt.date
    last: dt.date

    def of(self, statement: str, **more: str) -> str:
        """A statement with these dates, and names of ours, in it."""
        first, last = (f"cast({literal(date.isoformat())} as date)" for date in (self.first, self.last))
        return statement.format(first=first, last=last, **more)


def _any(transaction: Transaction, rows: str) -> bool:
    return bool(transaction.fetch(f"select 1 as found from {rows} limit 1").num_rows)


def define_relations(transaction: Transaction) -> None:
    """Defines the empty relations that a load or a retraction works on."""
    for name, columns in SCRATCH.items():
        transaction.scratch(name, columns)
    for name, schema in STAGED.items():
        transaction.stage(name, schema.empty_table())


def find_contested(transaction: Transaction, span: Span) -> None:
    """Fills the scratch table `contested`: the rows whose transaction id more than one row of a day claims."""
    transaction.fill("contenders", CONTENDERS)
    transaction.fill("contested_ids", span.of(CONTESTED_IDS))
    transaction.fill("contested", span.of(CONTESTED))


def reject_duplicates_in_file(transaction: Transaction, span: Span) -> None:
    """Removes the new rows whose transaction id occurs earlier in their own file."""
    if _any(transaction, IN_FILE):
        transaction.execute(
            REJECT.format(reason=RowReason.DUPLICATE_IN_FILE, fault="stands earlier in this file", rows=IN_FILE)
        )
        transaction.execute(span.of(DELETE_ROWS, table="sales_transactions", rows=IN_FILE))


def decide_owners(transaction: Transaction) -> None:
    """Fills the scratch table `decided`: the owner of each contested row. Rows of replaced loads are excluded.

    Also fills `moved_loads`: the loads some of whose rows move between the table and the quarantine by that.
    """
    transaction.fill("decided", DECIDED)
    transaction.fill("moved_loads", MOVED_LOADS)


def move_rows(transaction: Transaction, span: Span) -> None:
    """Loads each contested row that owns its id, and quarantines the others, as `decide_owners` found."""
    if _any(transaction, LOST):
        fault = "was delivered first by another file"
        transaction.execute(REJECT.format(reason=RowReason.DUPLICATE_ACROSS_FILES, fault=fault, rows=LOST))
        transaction.execute(span.of(DELETE_ROWS, table="sales_transactions", rows=LOST))
    if _any(transaction, WON):
        transaction.execute(
            f"insert into sales_data.sales_transactions ({SALES_COLUMN_LIST}) select {SALES_COLUMN_LIST} from {WON}"
        )
        transaction.execute(span.of(DELETE_ROWS, table="quarantine", rows=WON))


def count_and_check(transaction: Transaction, span: Span) -> None:
    """Counts what each touched load has in the tables, writes that into the ledger, and raises if a row is lost or doubled."""
    transaction.fill("touched", span.of(TOUCHED))
    transaction.execute(
        "update sales_data.load_ledger set rows_loaded = touched.rows_loaded, rows_quarantined = touched.rows_quarantined "
        "from touched where load_ledger.load_id = touched.load_id"
    )
    wrong = transaction.fetch(WRONG_COUNTS).to_pylist()
    if wrong:
        raise ConservationError(
            "rows in file = rows loaded + rows quarantined does not hold, so nothing of this batch was loaded: "
            + "; ".join(
                f"{row['path']}: {row['rows_in_file']} = {row['rows_loaded']} + {row['rows_quarantined']}"
                for row in wrong[:5]
            )
        )
