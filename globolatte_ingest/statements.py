"""The SQL of loads and retractions, except the validation of single rows, and the relations that they use. Nothing is executed here.

The statements work on the permanent tables of schema `sales_data` and on relations of one transaction, gone with it: scratch tables
(`SCRATCH`), which queries fill, and staged ones (`STAGED`), which Python fills. All of them are defined before the first statement that
writes (see `resources.warehouse.warehouse.Transaction`). A query fills the scratch table of the same name; the queries about the
ownership of transaction ids are in `ownership`.
"""

import pyarrow as pa

from globolatte_ingest.kept_files import KEPT_CONTENTS
from globolatte_ingest.ledger import ENTRY_SCHEMA
from globolatte_ingest.ledger_statements import HOLDING
from globolatte_ingest.reading.sales import SALES_COLUMNS, SALES_TEXTS, texts
from globolatte_ingest.reasons import RowReason

SALE = (
    "business_unit varchar, business_date date, transaction_id varchar, order_id varchar, product_id varchar, customer_id varchar, "
    "quantity bigint, total_price decimal(18, 2), transaction_date timestamp, payment_method varchar, weather varchar, "
    "store_id varchar, discount decimal(18, 2), promotion varchar, currency varchar, kind varchar, refunded_order_id varchar, "
    "refunded_date date, load_id varchar, row_number bigint"
)
CONTESTED = f"{SALE}, is_waiting boolean, path varchar, priority bigint, is_new boolean, place_in_file bigint"
FAULT = "fault varchar, fault_detail varchar"
TEXTS = ", ".join(SALES_TEXTS.values())
TEXT_TYPES = TEXTS.replace(",", " varchar,") + " varchar"

SCRATCH = {
    "affected_days": "business_unit varchar, business_date date",
    "batch_loads": "load_number integer, load_id varchar, path varchar, sha256 varchar, sequence bigint, business_unit varchar, "
    "business_date date, number_format varchar, date_format varchar, day_ends varchar, moments_told varchar, priority bigint",
    "day_loads": "load_id varchar, path varchar, priority bigint",
    "corrected": "load_number integer, row_number bigint, "
    + ", ".join(f"{column} varchar" for column in SALES_COLUMNS),
    "bad_rows": "load_number integer, load_id varchar, row_number bigint, business_unit varchar, business_date date, "
    f"{TEXT_TYPES}, reason varchar, detail varchar",
    "rejected": "load_id varchar, row_number bigint, reason varchar, detail varchar, business_unit varchar, business_date date, "
    f"{TEXT_TYPES}, raw_text varchar",
    "raw_lines": "load_id varchar, row_number bigint, line_number bigint, raw_text varchar",
    "replaced": "load_id varchar, business_unit varchar, business_date date, rows_loaded bigint, successor varchar",
    "contenders": "load_id varchar, path varchar, priority bigint, is_new boolean",
    "late_parts": "path varchar, business_unit varchar, business_date date, priority bigint",
    "contested_ids": "id decimal(20, 0)",
    "contested": CONTESTED,
    "repeated_in_file": f"{CONTESTED}, {FAULT}",
    "decided": f"{CONTESTED}, place bigint, {FAULT}",
    "mixed_orders": "id decimal(20, 0)",
    "customers_of_orders": f"{SALE}, id decimal(20, 0), place_in_file bigint, first_customer varchar, {FAULT}, has_several boolean",
    "moved_loads": "load_id varchar",
    "touched": "load_id varchar, rows_loaded bigint, rows_quarantined bigint",
    "part_counts": "load_id varchar, business_unit varchar, business_date date, rows_loaded bigint, rows_quarantined bigint",
}
"""Columns of the scratch tables, by name."""


ENTRY_COLUMNS = ("load_id", "path", "sha256", "sequence", "business_unit", "business_date")
"""What `batch_ledger` has of a ledger entry."""

PART_KEY = ("load_id", "business_unit", "business_date")
"""What one unit's part of a file version is known by."""

LOAD_NUMBER, ROW_NUMBER, LINE_NUMBER = (
    ("load_number", pa.int32()),
    ("row_number", pa.int64()),
    ("line_number", pa.int64()),
)

STAGED = {
    "batch_ledger": pa.schema(
        [
            LOAD_NUMBER,
            *map(ENTRY_SCHEMA.field, ENTRY_COLUMNS),
            *texts("number_format", "date_format", "day_ends", "moments_told"),
        ]
    ),
    "incoming": pa.schema([*texts(*SALES_COLUMNS), ROW_NUMBER, LOAD_NUMBER]),
    "unreadable": pa.schema([LOAD_NUMBER, ROW_NUMBER, *texts("reason", "detail", "raw_text")]),
    "told_by_rows": pa.schema([*map(ENTRY_SCHEMA.field, PART_KEY), *texts("own_unit")]),
    "found_lines": pa.schema([ROW_NUMBER, LINE_NUMBER, ("raw_text", pa.large_string()), *texts("load_id")]),
    "held_parts": pa.schema(
        [*map(ENTRY_SCHEMA.field, (*PART_KEY, "reason_code", "reason")), ("rows_held", pa.int64())]
    ),
    "gone_parts": pa.schema([*map(ENTRY_SCHEMA.field, PART_KEY)]),
    "done_entries": pa.schema([ENTRY_SCHEMA.field("load_id")]),
    "retracted_path": pa.schema([ENTRY_SCHEMA.field("path"), ("step_id", pa.string())]),
    "ledger_rows": ENTRY_SCHEMA,
    "kept_contents": KEPT_CONTENTS,
}
"""Columns of what is staged, by name."""

SALES_COLUMN_LIST = (
    "business_unit, business_date, transaction_id, order_id, product_id, customer_id, quantity, total_price, "
    "transaction_date, payment_method, weather, store_id, discount, promotion, currency, kind, refunded_order_id, refunded_date, "
    "load_id, row_number"
)

USUAL_TEXTS = tuple(SALES_TEXTS.values())[:10]
"""The texts that stand in for a row whose line is gone, each in its place; those of other columns follow where there are any."""

FIRST_DELIVERY = f"""
select ledger.path, min(ledger.sequence) as priority
from sales_data.load_ledger as ledger
left join (
    select path, max(sequence) as sequence from sales_data.load_ledger where status = 'retracted' group by path
) as retraction on ledger.path = retraction.path
where ledger.path in ({{paths}}) and ledger.status in ('loaded', 'superseded')
    and coalesce(ledger.reason_code, '') not in ({HOLDING})
    and ledger.sequence > coalesce(retraction.sequence, 0)
group by ledger.path
"""
"""Since when each path counts as delivered: its first loaded version since it was last retracted."""

BATCH_LOADS = f"""
select batch.*, coalesce(first_delivery.priority, batch.sequence) as priority
from batch_ledger as batch
left join ({FIRST_DELIVERY.format(paths="select path from batch_ledger")}) as first_delivery on batch.path = first_delivery.path
"""

LATE_PARTS = f"""
with held as (
    select distinct ledger.path, parts.business_unit, parts.business_date
    from sales_data.load_parts as parts
    inner join sales_data.load_ledger as ledger on parts.load_id = ledger.load_id
    where parts.reason_code in ({HOLDING}) and coalesce(ledger.reason_code, '') not in ({HOLDING})
        and ledger.path in (select path from contenders)
),

retractions as (
    select path, max(sequence) as sequence from sales_data.load_ledger where status = 'retracted' group by path
),

delivered as (
    select held.path, held.business_unit, held.business_date, ledger.load_id, ledger.sequence
    from held
    inner join sales_data.load_ledger as ledger on held.path = ledger.path
    left join retractions on held.path = retractions.path
    where ledger.status in ('loaded', 'superseded') and coalesce(ledger.reason_code, '') not in ({HOLDING})
        and ledger.sequence > coalesce(retractions.sequence, 0)
    union all
    select held.path, held.business_unit, held.business_date, batch.load_id, batch.sequence
    from held
    inner join batch_loads as batch on held.path = batch.path
)

select delivered.path, delivered.business_unit, delivered.business_date, min(delivered.sequence) as priority
from delivered
left join sales_data.load_parts as parts
    on delivered.load_id = parts.load_id and delivered.business_unit = parts.business_unit
        and delivered.business_date = parts.business_date and parts.reason_code in ({HOLDING})
where parts.load_id is null
group by delivered.path, delivered.business_unit, delivered.business_date
"""
"""Since when a path's part counts as delivered that was held in an earlier version of which other parts were loaded."""

AFFECTED_DAYS = """
select business_unit, business_date from batch_loads
union
select business_unit, business_date from sales_data.sales_transactions
where business_date between {first} and {last} and load_id in (select load_id from batch_loads)
union
select parts.business_unit, parts.business_date
from sales_data.load_parts as parts
inner join sales_data.load_ledger as ledger on parts.load_id = ledger.load_id
inner join batch_loads as batch on ledger.path = batch.path
where ledger.status = 'loaded'
"""
"""The units and dates that the new versions touch, and those that the versions touched which they may replace."""

LOADED_OF_DAYS = """
select distinct ledger.load_id, ledger.path, ledger.sequence
from sales_data.load_ledger as ledger
inner join sales_data.load_parts as parts on ledger.load_id = parts.load_id
inner join affected_days as days on parts.business_unit = days.business_unit and parts.business_date = days.business_date
where ledger.status = 'loaded' and parts.status = 'loaded'
"""

DAY_LOADS = f"""
with loads as ({LOADED_OF_DAYS})

select loads.load_id, loads.path, coalesce(first_delivery.priority, loads.sequence) as priority
from loads
left join ({FIRST_DELIVERY.format(paths="select path from loads")}) as first_delivery on loads.path = first_delivery.path
"""

CORRECTED = f"""
select loads.load_number, corrections.row_number, {", ".join(f"corrections.{column}" for column in SALES_COLUMNS)}
from sales_data.row_corrections as corrections
inner join batch_loads as loads on corrections.path = loads.path and corrections.sha256 = loads.sha256
qualify row_number() over (
    partition by corrections.path, corrections.sha256, corrections.row_number order by corrections.sequence desc
) = 1
"""
"""The corrections that people made to rows of exactly these contents; of several corrections of a row, the latest."""

REJECT_BAD_ROWS = f"""
insert into rejected
select load_id, row_number, reason, detail, business_unit, business_date, {TEXTS}, null
from bad_rows
"""

REJECT_UNREADABLE = """
insert into rejected (load_id, row_number, reason, detail, business_unit, business_date, raw_text)
select loads.load_id, unreadable.row_number, unreadable.reason, detail, loads.business_unit, loads.business_date, raw_text
from unreadable
inner join batch_loads as loads on unreadable.load_number = loads.load_number
where not exists (
    select 1 from corrected
    where unreadable.load_number = corrected.load_number and unreadable.row_number = corrected.row_number
)
"""

PARTITION_OF_LOADS = """
update batch_loads set business_unit = told_by_rows.own_unit, business_date = told_by_rows.business_date
from told_by_rows where batch_loads.load_id = told_by_rows.load_id
"""
"""A file has no unit of its own if neither its path nor a good row tells one: only rows can be counted for the unit that stands in."""

PARTITION_OF_REJECTED = """
update rejected set business_unit = coalesce(rejected.business_unit, told_by_rows.business_unit),
    business_date = coalesce(rejected.business_date, told_by_rows.business_date)
from told_by_rows where rejected.load_id = told_by_rows.load_id
"""

DATES_BEFORE = """
select min(parts.business_date) as first_date, max(parts.business_date) as last_date
from sales_data.load_parts as parts
inner join sales_data.load_ledger as ledger on parts.load_id = ledger.load_id
inner join batch_loads as batch on ledger.path = batch.path
where ledger.status in ('loaded', 'held')
"""
"""The dates of what is there of the paths of the batch."""

DATES_OF_MOVED = """
select min(business_date) as first_date, max(business_date) as last_date
from sales_data.load_parts
where load_id in (select load_id from moved_loads) or load_id in (select load_id from replaced)
"""

PARTS = f"""
with earlier as (
    select batch.load_id as successor, parts.load_id, parts.business_unit, parts.business_date, parts.rows_loaded
    from batch_loads as batch
    inner join sales_data.load_ledger as ledger on batch.path = ledger.path and ledger.status = 'loaded'
    inner join sales_data.load_parts as parts on ledger.load_id = parts.load_id and parts.status = 'loaded'
),

counted as (
    select load_id, business_unit, business_date, 0 as good, 0 as bad, 0 as unknown, 0 as named, 0 as before, null as replaced
    from batch_loads
    where business_unit is not null
    union all
    select load_id, business_unit, business_date, count(*), 0, 0, count(*), 0, null
    from sales_data.sales_transactions
    where business_date between {{first}} and {{last}} and load_id in (select load_id from batch_loads)
    group by load_id, business_unit, business_date
    union all
    select
        load_id, business_unit, business_date, 0, count(*),
        sum(case when reason = '{RowReason.UNKNOWN_BUSINESS_UNIT}' then 1 else 0 end),
        sum(case when business_unit_text = business_unit then 1 else 0 end), 0, null
    from rejected
    where load_id in (select load_id from batch_loads)
    group by load_id, business_unit, business_date
    union all
    select successor, business_unit, business_date, 0, 0, 0, 0, rows_loaded, load_id from earlier
    union all
    select earlier.successor, earlier.business_unit, earlier.business_date, 0, 0, 0, 0, 1, null
    from earlier
    inner join sales_data.quarantine as quarantine
        on earlier.load_id = quarantine.load_id and earlier.business_unit = quarantine.business_unit
            and earlier.business_date = quarantine.business_date
    where quarantine.business_date between {{first}} and {{last}}
        and quarantine.reason in ('{RowReason.DUPLICATE_ACROSS_FILES}', '{RowReason.CONFLICT_ACROSS_FILES}')
)

select
    batch.load_number, counted.business_unit, counted.business_date, cast(sum(good) as bigint) as good, cast(sum(bad) as bigint) as bad,
    cast(sum(unknown) as bigint) as unknown, cast(sum(named) as bigint) as named, cast(sum(before) as bigint) as before,
    max(replaced) as replaced
from counted
inner join batch_loads as batch on counted.load_id = batch.load_id
group by batch.load_number, counted.business_unit, counted.business_date
order by batch.load_number, counted.business_unit, counted.business_date
"""
"""What each new version has of each unit and date, what the version before has of it that is loaded, and which version that is."""

REPLACED = """
select ledger.load_id, parts.business_unit, parts.business_date, parts.rows_loaded, batch.load_id as successor
from sales_data.load_ledger as ledger
inner join batch_loads as batch on ledger.path = batch.path
left join sales_data.load_parts as parts on ledger.load_id = parts.load_id
left join held_parts as held
    on batch.load_id = held.load_id and parts.business_unit = held.business_unit and parts.business_date = held.business_date
where ledger.status in ('loaded', 'held')
    and (parts.load_id is null or parts.status = 'held' or (parts.status = 'loaded' and held.load_id is null))
"""
"""The parts that new versions replace: those that were held, and the loaded ones of which the new version's part is not held. A version
that is no unit's has no part and is replaced as a whole."""

MARK_PARTS_REPLACED = """
update sales_data.load_parts set status = 'superseded'
from replaced
where load_parts.load_id = replaced.load_id and load_parts.business_unit = replaced.business_unit
    and load_parts.business_date = replaced.business_date
"""

MARK_SUPERSEDED = """
update sales_data.load_ledger set superseded_by = gone.successor,
    status = case when gone.parts_left > 0 then status else 'superseded' end,
    reason = case when gone.parts_left > 0 and position('held in part: ' in reason) = 1 then null else reason end
from (
    select
        replaced.load_id, min(replaced.successor) as successor,
        sum(case when parts.status in ('loaded', 'held') then 1 else 0 end) as parts_left
    from (select distinct load_id, successor from replaced) as replaced
    left join sales_data.load_parts as parts on replaced.load_id = parts.load_id
    group by replaced.load_id
) as gone
where load_ledger.load_id = gone.load_id
"""
"""A version of which other parts are loaded still stays in the ledger as loaded, and is no longer held in part: what was held of it is
replaced whatever the new version has (`REPLACED`)."""

OF_LOADED = """load_id in (select load_id from batch_loads)
    and load_id in (select load_id from sales_data.load_ledger where status = 'loaded')"""

NOTES_OF_LOADED = f"""
select path, reason from sales_data.load_ledger where {OF_LOADED} and reason is not null and load_id not in (select load_id from held_parts)
order by sequence
"""

DECIMAL_CUSTOMERS = """
select load_id, count(*) as n
from sales_data.sales_transactions
where business_date between {first} and {last} and load_id in (select load_id from batch_loads) and customer_id like '%.0'
group by load_id
"""

NOTHING_LOADED = """
select ledger.load_id, ledger.rows_in_file, ledger.rows_loaded
from sales_data.load_ledger as ledger
inner join touched on ledger.load_id = touched.load_id
where ledger.status = 'loaded' and (
    position('nothing of it is loaded' in ledger.reason) = 1
    or (
        ledger.rows_loaded = 0 and ledger.rows_in_file > 0 and ledger.rows_quarantined = ledger.rows_in_file
        and (ledger.reason is null or position('note: ' in ledger.reason) = 1)
    )
)
"""

REASONS_OF_NOTHING = """
select quarantine.reason, count(*) as n, min(owner.path) as first_path, max(owner.path) as last_path
from sales_data.quarantine as quarantine
left join (
    select sales.business_unit, sales.business_date, sales.store_id, sales.transaction_id, ledger.path
    from sales_data.sales_transactions as sales
    inner join sales_data.load_ledger as ledger on sales.load_id = ledger.load_id
    where sales.business_date between {first} and {last}
) as owner
    on quarantine.business_unit = owner.business_unit and quarantine.business_date = owner.business_date
        and quarantine.transaction_id = owner.transaction_id and coalesce(quarantine.store_id, '') = coalesce(owner.store_id, '')
        and quarantine.reason in ('duplicate_across_files', 'conflict_across_files')
where quarantine.load_id = ?
group by quarantine.reason
order by n desc, quarantine.reason
"""

ROWS_OF_LOADED = f"""
select
    cast(coalesce(sum(rows_loaded), 0) as bigint) as loaded, cast(coalesce(sum(rows_quarantined), 0) as bigint) as quarantined
from touched
where {OF_LOADED}
"""

REASONS_OF_LOADED = f"select reason, count(*) as n from rejected where {OF_LOADED} group by reason"

DELETE_ROWS_OF = """
delete from sales_data.sales_transactions
using (select load_id, business_unit, business_date from {parts}) as gone
where sales_transactions.business_date between {first} and {last} and sales_transactions.load_id = gone.load_id
    and sales_transactions.business_unit = gone.business_unit and sales_transactions.business_date = gone.business_date
"""

QUARANTINE = f"""
insert into sales_data.quarantine (
    load_id, row_number, line_number, reason, detail, business_unit, business_date, {TEXTS}, raw_text
)
select
    rejected.load_id, rejected.row_number, raw_lines.line_number, reason, detail, business_unit, business_date,
    {TEXTS.replace("transaction_id", "nullif(transaction_id, '')", 1)},
    coalesce(
        raw_lines.raw_text, rejected.raw_text,
        concat_ws(',', {", ".join(f"coalesce(rejected.{text}, '')" for text in USUAL_TEXTS)})
        || {" || ".join(f"coalesce(',' || rejected.{text}, '')" for text in SALES_TEXTS.values() if text not in USUAL_TEXTS)}
    ) as raw_text
from rejected
left join raw_lines on rejected.load_id = raw_lines.load_id and rejected.row_number = raw_lines.row_number
"""

TOUCHED = """
with loads as (
    select load_id from batch_loads
    union
    select load_id from moved_loads
    union
    select ledger.load_id
    from sales_data.load_ledger as ledger
    inner join replaced on ledger.load_id = replaced.load_id
    where ledger.status = 'loaded'
),

loaded as (
    select load_id, count(*) as n from sales_data.sales_transactions
    where business_date between {first} and {last} and load_id in (select load_id from loads) group by load_id
),

quarantined as (
    select load_id, count(*) as n from sales_data.quarantine
    where business_date between {first} and {last} and load_id in (select load_id from loads) group by load_id
)

select loads.load_id, coalesce(loaded.n, 0) as rows_loaded, coalesce(quarantined.n, 0) as rows_quarantined
from loads
left join loaded on loads.load_id = loaded.load_id
left join quarantined on loads.load_id = quarantined.load_id
"""

RETRACTED = """
select
    ledger.load_id, parts.business_unit, coalesce(parts.business_date, ledger.business_date) as business_date, parts.rows_loaded,
    cast(null as varchar) as successor
from sales_data.load_ledger as ledger
left join sales_data.load_parts as parts on ledger.load_id = parts.load_id
where ledger.path in (select path from retracted_path) and ledger.status in ('loaded', 'held')
    and (parts.load_id is null or parts.status in ('loaded', 'held'))
"""

RETRACTED_DAYS = "select distinct business_unit, business_date from replaced"

PART_COUNTS = """
with counted as (
    select load_id, business_unit, business_date, count(*) as rows_loaded, 0 as rows_quarantined
    from sales_data.sales_transactions
    where business_date between {first} and {last} and load_id in (select load_id from touched)
    group by load_id, business_unit, business_date
    union all
    select load_id, business_unit, business_date, 0 as rows_loaded, count(*) as rows_quarantined
    from sales_data.quarantine
    where business_date between {first} and {last} and load_id in (select load_id from touched)
    group by load_id, business_unit, business_date
    union all
    select load_id, business_unit, business_date, 0 as rows_loaded, 0 as rows_quarantined
    from batch_loads
    where business_unit is not null
    union all
    select load_id, business_unit, business_date, 0 as rows_loaded, 0 as rows_quarantined
    from sales_data.load_parts
    where status = 'loaded' and load_id in (select load_id from touched)
    union all
    select load_id, business_unit, business_date, 0 as rows_loaded, 0 as rows_quarantined from held_parts
)

select
    load_id, business_unit, business_date, cast(sum(rows_loaded) as bigint) as rows_loaded,
    cast(sum(rows_quarantined) as bigint) as rows_quarantined
from counted
group by load_id, business_unit, business_date
"""

PART = "load_id, business_unit, business_date, status, reason_code, reason, rows_in_part, rows_loaded, rows_quarantined"

WRITE_PARTS = f"""
insert into sales_data.load_parts ({PART})
select
    parts.load_id, parts.business_unit, parts.business_date,
    case when held.load_id is null then ledger.status else 'held' end as status,
    case when held.load_id is null then ledger.reason_code else held.reason_code end as reason_code,
    case when held.load_id is null then ledger.reason else held.reason end as reason,
    case when held.load_id is null then parts.rows_loaded else held.rows_held end + parts.rows_quarantined as rows_in_part,
    parts.rows_loaded, parts.rows_quarantined
from part_counts as parts
inner join sales_data.load_ledger as ledger on parts.load_id = ledger.load_id
left join held_parts as held
    on parts.load_id = held.load_id and parts.business_unit = held.business_unit and parts.business_date = held.business_date
left join sales_data.load_parts as known
    on parts.load_id = known.load_id and parts.business_unit = known.business_unit and parts.business_date = known.business_date
where known.load_id is null
"""
"""The loaded parts of touched loads are written anew; what became of the others stays as it is."""

WRITE_REFUSED_PARTS = f"""
insert into sales_data.load_parts ({PART})
select load_id, business_unit, business_date, status, reason_code, reason, rows_in_file, rows_loaded, rows_quarantined
from sales_data.load_ledger
where load_id in (select load_id from ledger_rows) and status = 'refused' and business_unit is not null
"""
"""A refused file is the fault of the unit that its path tells; where it tells none, it is no unit's."""

WRONG_COUNTS = """
select ledger.path, ledger.rows_in_file, ledger.rows_loaded, ledger.rows_quarantined
from sales_data.load_ledger as ledger
inner join touched on ledger.load_id = touched.load_id
left join (
    select
        load_id, sum(rows_in_part) as rows_in_part, sum(rows_quarantined) as rows_quarantined,
        sum(case when status = 'loaded' then rows_loaded else 0 end) as rows_loaded
    from sales_data.load_parts
    where load_id in (select load_id from touched)
    group by load_id
) as parts on ledger.load_id = parts.load_id
where (parts.load_id is null and (ledger.business_unit is not null or ledger.rows_in_file > 0)) or ledger.rows_in_file is null
    or parts.rows_in_part <> ledger.rows_in_file or parts.rows_loaded <> ledger.rows_loaded
    or parts.rows_quarantined <> ledger.rows_quarantined
    or (ledger.status <> 'loaded' and ledger.rows_loaded <> 0)
"""
"""Conservation: the parts add up to the file, where a loaded part is its rows loaded and quarantined, and a held one those held back and
quarantined; and what of them is loaded and quarantined is what the entry says."""

MARK_RETRACTED = """
update sales_data.load_ledger set status = 'retracted', reason = ?, rows_loaded = 0
where load_id in (select load_id from replaced)
"""

MARK_PARTS_RETRACTED = """
update sales_data.load_parts set status = 'retracted', reason = ledger.reason, rows_loaded = 0
from sales_data.load_ledger as ledger, replaced
where load_parts.load_id = ledger.load_id and load_parts.load_id = replaced.load_id
    and load_parts.business_unit = replaced.business_unit and load_parts.business_date = replaced.business_date
"""
