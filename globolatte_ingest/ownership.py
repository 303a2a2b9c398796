"""Which file owns a transaction id, and the proof that no row is lost. Loads and retractions both use it for a day of a business unit.

The path that delivered an id first within its unit, date and store owns it. Whenever a file is added, changed or retracted, ownership is
decided again among the new rows and the valid rows of the day's other files. A row that does not own its id repeats the owner's (equal
values) or conflicts with it (other values). Of a file's rows with the same id, only the first can own it. Only contested ids are
considered: those that more than one row has, and those of quarantined rows whose owner may be removed.

Works on the relations of one transaction that `statements` names, and defines them.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa

from globolatte_ingest.reasons import RowReason
from globolatte_ingest.statements import (
    DATES_OF_MOVED,
    LATE_PARTS,
    NOTHING_LOADED,
    PART_COUNTS,
    PART_KEY,
    REASONS_OF_NOTHING,
    SALES_COLUMN_LIST,
    SCRATCH,
    STAGED,
    TOUCHED,
    WRITE_PARTS,
    WRONG_COUNTS,
)
from resources.warehouse.dialect import literal
from resources.warehouse.warehouse import Transaction

ID = "hash(business_unit, business_date, coalesce(store_id, ''), transaction_id)"
ID_COLUMNS = "business_unit, business_date, coalesce(store_id, ''), transaction_id"

WAITING = f"reason in ('{RowReason.DUPLICATE_ACROSS_FILES}', '{RowReason.CONFLICT_ACROSS_FILES}')"
"""Quarantined rows that are loaded once the row that owns their id is gone."""

COMPARED = (
    "product_id", "quantity", "total_price", "order_id", "customer_id", "transaction_date", "payment_method", "weather", "discount",
    "promotion", "currency", "kind", "refunded_order_id", "refunded_date",
)  # fmt: skip
"""What two rows of one id have to agree in to be the same line, delivered twice. Not the weight: an earlier release did not keep it."""


def _differs_in(column: str, row: str, other: str) -> str:
    # A line may have its customer from another line of its order, which one file has and the other has not.
    operator = "<>" if column == "customer_id" else "is distinct from"
    return f"{row}.{column} {operator} {other}.{column}"


def _differs(row: str, other: str) -> str:
    return f"coalesce({' or '.join(_differs_in(column, row, other) for column in COMPARED)}, false)"


def _difference(row: str, other: str) -> str:
    """What the first difference is: `total_price 3.50, there 4.00`."""

    def written(side: str, column: str) -> str:
        return f"coalesce(cast({side}.{column} as varchar), 'not told')"

    cases = " ".join(
        f"when {_differs_in(column, row, other)} "
        f"then '{column} ' || {written(row, column)} || ', there ' || {written(other, column)}"
        for column in COMPARED
    )
    return f"case {cases} end"


def _same_id(row: str, other: str) -> str:
    names = ("business_unit", "business_date", "transaction_id")
    equal = " and ".join(f"{row}.{name} = {other}.{name}" for name in names)
    return f"{equal} and coalesce({row}.store_id, '') = coalesce({other}.store_id, '')"


def _same_part(row: str, other: str) -> str:
    return " and ".join(f"{row}.{name} = {other}.{name}" for name in PART_KEY)


CONTENDERS = """
select load_id, path, priority, true as is_new from batch_loads
union all
select load_id, path, priority, false as is_new from day_loads
"""

IN_LOADED_PART = f"""not exists (
    select 1 from sales_data.load_parts as part where part.status <> 'loaded' and {_same_part("part", "quarantine")}
)"""
"""Whether a quarantined row's part is loaded: what is held or replaced claims nothing."""

CONTESTED_IDS = f"""
select {ID} as id
from sales_data.sales_transactions
where business_date between {{first}} and {{last}} and load_id in (select load_id from contenders)
group by id
having count(*) > 1
union
select {ID} as id
from sales_data.quarantine
where business_date between {{first}} and {{last}} and {WAITING} and load_id in (select load_id from contenders)
    and {IN_LOADED_PART}
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
        cast(refunded_date_text as date), cast(weight_text as decimal(18, 3)), load_id, row_number, true as is_waiting
    from sales_data.quarantine
    where business_date between {{first}} and {{last}} and {WAITING} and {ID} in (select id from contested_ids) and {IN_LOADED_PART}
)

select
    contested_rows.*, contenders.path, coalesce(late_parts.priority, contenders.priority) as priority, contenders.is_new,
    row_number() over (
        partition by contested_rows.load_id, contested_rows.business_unit, contested_rows.business_date,
            coalesce(store_id, ''), transaction_id
        order by row_number
    ) as place_in_file
from contested_rows
inner join contenders on contested_rows.load_id = contenders.load_id
left join late_parts
    on contenders.path = late_parts.path and contested_rows.business_unit = late_parts.business_unit
        and contested_rows.business_date = late_parts.business_date
"""

REPEATED_IN_FILE = f"""
select
    again.*,
    case
        when {_differs("again", "earlier")} then '{RowReason.CONFLICT_IN_FILE}' else '{RowReason.DUPLICATE_IN_FILE}'
    end as fault,
    'transaction ' || again.transaction_id || ' stands earlier in this file' || case
        when {_differs("again", "earlier")}
            then ', in row ' || earlier.row_number || ', with other values (' || {_difference("again", "earlier")} || ')'
        else ''
    end as fault_detail
from contested as again
inner join contested as earlier
    on again.load_id = earlier.load_id and earlier.place_in_file = 1 and {_same_id("again", "earlier")}
where again.is_new and again.place_in_file > 1
"""

OWNED = f"""
with placed as (
    select *, row_number() over (partition by {ID_COLUMNS} order by priority, load_id, row_number) as place
    from contested
    where place_in_file = 1 and {{present}}
)

select
    placed.*,
    case
        when placed.place = 1 then null
        when {_differs("placed", "owner")} then '{RowReason.CONFLICT_ACROSS_FILES}'
        else '{RowReason.DUPLICATE_ACROSS_FILES}'
    end as fault,
    'transaction ' || placed.transaction_id || case
        when {_differs("placed", "owner")}
            then ' has other values in ' || owner.path || ' (' || {_difference("placed", "owner")}
                || '); a transaction_id names one line of its unit, date and store_id: correct one of the files'
        else ' was delivered first by ' || owner.path
    end as fault_detail
from placed
inner join placed as owner on owner.place = 1 and {_same_id("placed", "owner")}
"""
"""The contested rows that are `present`, each with its place among the rows of its id: the first one owns it."""


def present(gone: str) -> str:
    """The condition that the part of a contested row is not in a relation of parts."""
    return f"not exists (select 1 from {gone} as gone where {_same_part('gone', 'contested')})"


DECIDED = OWNED.format(present=present("replaced"))

MOVED_LOADS = """
select distinct load_id from decided where is_waiting or place > 1
"""

REJECT = """
insert into rejected
select
    load_id, row_number, fault, fault_detail, business_unit, business_date, transaction_id, order_id, business_unit, product_id,
    customer_id, cast(quantity as varchar), cast(total_price as varchar), cast(transaction_date as varchar), payment_method, weather,
    store_id, cast(discount as varchar), promotion, currency, nullif(kind, 'sale'), refunded_order_id, cast(refunded_date as varchar),
    cast(weight as varchar), null
from {rows}
"""

RENAME_FAULTS = f"""
update sales_data.quarantine set reason = decided.fault, detail = decided.fault_detail
from decided
where quarantine.business_date between {{first}} and {{last}} and {WAITING}
    and quarantine.load_id = decided.load_id and quarantine.row_number = decided.row_number
    and decided.place > 1 and decided.is_waiting
    and (quarantine.reason <> decided.fault or coalesce(quarantine.detail, '') <> decided.fault_detail)
"""
"""The row that owns an id may be another than before, or have other values."""

DELETE_ROWS = """
delete from sales_data.{table}
using (select load_id, row_number from {rows}) as gone
where {table}.business_date between {first} and {last}
    and {table}.load_id = gone.load_id and {table}.row_number = gone.row_number
"""

LOST = "decided where place > 1 and not is_waiting"
WON = "decided where place = 1 and is_waiting"

# Customers of orders ------------------------------------------------------------------------------------------------------

ORDER = "hash(load_id, business_unit, business_date, coalesce(store_id, ''), order_id)"
CUSTOMER = "case when customer_id is not null then hash(customer_id) end"

MIXED_ORDERS = f"""
select {ORDER} as id
from sales_data.sales_transactions
where business_date between {{first}} and {{last}} and load_id in (select load_id from batch_loads) and order_id is not null
group by id
having min({CUSTOMER}) <> max({CUSTOMER}) or (count(customer_id) > 0 and count(customer_id) < count(*))
"""

CUSTOMERS_OF_ORDERS = f"""
with lines as (
    select {SALES_COLUMN_LIST}, {ORDER} as id,
        row_number() over (partition by load_id, order_id, {ID_COLUMNS} order by row_number) as place_in_file
    from sales_data.sales_transactions
    where business_date between {{first}} and {{last}} and load_id in (select load_id from batch_loads) and order_id is not null
        and {ORDER} in (select id from mixed_orders)
),

orders as (
    select id, min(customer_id) as first_customer, max(customer_id) as last_customer from lines where place_in_file = 1 group by id
)

select
    lines.*, orders.first_customer, '{RowReason.ORDER_OF_SEVERAL_CUSTOMERS}' as fault,
    'order ' || lines.order_id || ' names customers ' || orders.first_customer || ' and ' || orders.last_customer
    || '; an order_id names one order of its unit, date and store_id: correct the file, or send each shop''s sales by itself'
        as fault_detail,
    coalesce(orders.first_customer <> orders.last_customer, false) as has_several
from lines
inner join orders on lines.id = orders.id
"""
"""The lines of a file's orders whose lines do not all name the same customer. Of a line that an order has twice, the first one counts."""

NAME_CUSTOMERS = """
update sales_data.sales_transactions set customer_id = named.first_customer
from (select load_id, row_number, first_customer from customers_of_orders where not has_several and first_customer is not null) as named
where sales_transactions.business_date between {first} and {last} and sales_transactions.customer_id is null
    and sales_transactions.load_id = named.load_id and sales_transactions.row_number = named.row_number
"""


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

    def widened(self, found: pa.Table) -> "Span":
        """These dates and those from `first_date` through `last_date` of a query's only row, where it has any."""
        [row] = found.to_pylist()
        if row["first_date"] is None:
            return self
        return Span(min(self.first, row["first_date"]), max(self.last, row["last_date"]))


def _any(transaction: Transaction, rows: str) -> bool:
    return bool(transaction.fetch(f"select 1 as found from {rows} limit 1").num_rows)


def define_relations(transaction: Transaction) -> None:
    """Defines the empty relations that a load or a retraction works on."""
    for name, columns in SCRATCH.items():
        transaction.scratch(name, columns)
    for name, schema in STAGED.items():
        transaction.stage(name, schema.empty_table())


def name_customers_of_orders(transaction: Transaction, span: Span) -> None:
    """Gives the new lines without a customer the one that the other lines of their order name in the same file.

    Where these name several, all lines of the order are rejected: which of them belong together cannot be told. Call it before
    `find_contested`.
    """
    transaction.fill("mixed_orders", span.of(MIXED_ORDERS))
    if not _any(transaction, "mixed_orders"):
        return
    transaction.fill("customers_of_orders", span.of(CUSTOMERS_OF_ORDERS))
    transaction.execute(span.of(NAME_CUSTOMERS))
    several = "customers_of_orders where has_several"
    transaction.execute(REJECT.format(rows=several))
    transaction.execute(span.of(DELETE_ROWS, table="sales_transactions", rows=several))


def find_contested(transaction: Transaction, span: Span) -> None:
    """Fills the scratch table `contested`: the rows whose line id more than one row of a day claims."""
    transaction.fill("contenders", CONTENDERS)
    transaction.fill("late_parts", LATE_PARTS)
    transaction.fill("contested_ids", span.of(CONTESTED_IDS))
    transaction.fill("contested", span.of(CONTESTED))


def reject_repeated_in_file(transaction: Transaction, span: Span) -> None:
    """Removes the new rows whose line id occurs earlier in their own file."""
    if not _any(transaction, "contested where is_new and place_in_file > 1"):
        return
    transaction.fill("repeated_in_file", REPEATED_IN_FILE)
    transaction.execute(REJECT.format(rows="repeated_in_file"))
    transaction.execute(span.of(DELETE_ROWS, table="sales_transactions", rows="repeated_in_file"))


PartKey = tuple[str, str, dt.date]
"""The key of one unit's part of a file version: load id, unit, date."""


@dataclass(frozen=True)
class Conflicts:
    """The new rows that claim a line id which a file delivered before has with other values."""

    transaction: Transaction

    def possible(self) -> dict[PartKey, int]:
        """How many such rows each new part has at most, as if everything were loaded; without those that have none."""
        counted = self.transaction.fetch(
            f"select {', '.join(f'mine.{name}' for name in PART_KEY)}, count(distinct mine.row_number) as n "
            "from contested as mine inner join contested as theirs "
            f"on mine.load_id <> theirs.load_id and theirs.priority < mine.priority and {_same_id('mine', 'theirs')} "
            f"where mine.is_new and mine.place_in_file = 1 and theirs.place_in_file = 1 and {_differs('mine', 'theirs')} "
            f"group by {', '.join(f'mine.{name}' for name in PART_KEY)}"
        )
        return _counts(counted)

    def of(self, load_id: str, gone: Collection[PartKey]) -> dict[PartKey, int]:
        """How many such rows each part of a load has when all parts of contenders are loaded but those `gone`. Leaves them in `decided`."""
        parts = [dict(zip(PART_KEY, part, strict=True)) for part in sorted(gone)]
        self.transaction.stage("gone_parts", pa.Table.from_pylist(parts, STAGED["gone_parts"]))
        self.transaction.fill("decided", OWNED.format(present=present("gone_parts")))
        key = ", ".join(PART_KEY)
        return _counts(
            self.transaction.fetch(f"select {key}, count(*) as n from {CONFLICTS_OF} group by {key}", (load_id,))
        )

    def reject(self, part: PartKey) -> None:
        """Rejects the rows of a part that `of` counted last, for one that is held because of them."""
        self.transaction.execute(
            REJECT.format(rows=f"{CONFLICTS_OF} and business_unit = ? and business_date = ?"), part
        )


def _counts(counted: pa.Table) -> dict[PartKey, int]:
    return {(row["load_id"], row["business_unit"], row["business_date"]): row["n"] for row in counted.to_pylist()}


CONFLICTS_OF = f"decided where place > 1 and fault = '{RowReason.CONFLICT_ACROSS_FILES}' and load_id = ?"


def decide_owners(transaction: Transaction) -> None:
    """Fills the scratch table `decided`: the owner of each contested row. Rows of replaced loads are excluded.

    Also fills `moved_loads`: the loads some of whose rows move between the table and the quarantine by that, or wait there for another
    reason than before. Where nothing is contested both are empty, whatever an earlier step of the transaction decided.
    """
    if _any(transaction, "contested"):
        transaction.fill("decided", DECIDED)
        transaction.fill("moved_loads", MOVED_LOADS)
    else:
        transaction.execute("delete from decided")
        transaction.execute("delete from moved_loads")


def move_rows(transaction: Transaction, span: Span) -> None:
    """Loads each contested row that owns its id, and quarantines the others, as `decide_owners` found."""
    if _any(transaction, LOST):
        transaction.execute(REJECT.format(rows=LOST))
        transaction.execute(span.of(DELETE_ROWS, table="sales_transactions", rows=LOST))
    if _any(transaction, WON):
        transaction.execute(
            f"insert into sales_data.sales_transactions ({SALES_COLUMN_LIST}) select {SALES_COLUMN_LIST} from {WON}"
        )
        transaction.execute(span.of(DELETE_ROWS, table="quarantine", rows=WON))
    if _any(transaction, "decided where place > 1 and is_waiting"):
        transaction.execute(span.of(RENAME_FAULTS))


def _write_parts(transaction: Transaction, span: Span) -> None:
    """Writes beneath the entry of each touched load one row per unit and date, with its counts."""
    transaction.fill("part_counts", span.of(PART_COUNTS))
    transaction.execute(
        "delete from sales_data.load_parts where status = 'loaded' and load_id in (select load_id from touched)"
    )
    transaction.execute(WRITE_PARTS)


def _say_what_is_not_loaded(transaction: Transaction, span: Span) -> None:
    """Writes into the ledger which touched files are loaded without any of their rows, and why; or that they no longer are."""
    for row in transaction.fetch(NOTHING_LOADED).to_pylist():
        reason = None
        if not row["rows_loaded"]:
            found = transaction.fetch(span.of(REASONS_OF_NOTHING), (row["load_id"],)).to_pylist()
            paths = {found[0]["first_path"], found[0]["last_path"]}
            if [one["reason"] for one in found] == [RowReason.DUPLICATE_ACROSS_FILES] and len(paths) == 1:
                what = f"all {row['rows_in_file']} rows repeat those of {found[0]['first_path']}"
            else:
                what = ", ".join(
                    f"{one['n']} {one['reason']}" + (f" (such as of {one['first_path']})" if one["first_path"] else "")
                    for one in found
                )
            reason = f"nothing of it is loaded: {what}"
        transaction.execute("update sales_data.load_ledger set reason = ? where load_id = ?", (reason, row["load_id"]))


def count_and_check(transaction: Transaction, span: Span) -> None:
    """Counts what each touched load has in the tables, writes that into the ledger, and raises if a row is lost or doubled."""
    span = span.widened(
        transaction.fetch(DATES_OF_MOVED)
    )  # a load that lost a row, or won one, may have rows of other days
    transaction.fill("touched", span.of(TOUCHED))
    transaction.execute(
        "update sales_data.load_ledger set rows_loaded = touched.rows_loaded, rows_quarantined = touched.rows_quarantined "
        "from touched where load_ledger.load_id = touched.load_id"
    )
    _say_what_is_not_loaded(transaction, span)
    _write_parts(transaction, span)
    wrong = transaction.fetch(WRONG_COUNTS).to_pylist()
    if wrong:
        raise ConservationError(
            "rows in file = rows loaded + rows quarantined + rows held does not hold, so nothing of this batch was loaded: "
            + "; ".join(
                f"{row['path']}: {row['rows_in_file']} = {row['rows_loaded']} + {row['rows_quarantined']}"
                for row in wrong[:5]
            )
        )
