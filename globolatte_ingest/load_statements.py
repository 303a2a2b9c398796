"""The SQL of a load beyond judging single rows: what a batch brings, whom it replaces, quarantine, counts. Statements only.

They work on the permanent tables of schema `sales_data` and on the scratch tables of one load transaction (`scratch`): `batch_loads`
(a row per file of the batch), `judged` (bad rows, see `judging`), `rejected` (rows on their way to quarantine), `raw_lines` (their
text as it stands in the file). `ownership` has the statements on who owns which transaction id. A query named like a scratch table
fills it.
"""

from globolatte_ingest.reading.sales import SALES_COLUMNS
from globolatte_ingest.reasons import ReasonCode
from globolatte_ingest.validation import DETAIL

SALES_COLUMN_LIST = (
    "business_unit, business_date, transaction_id, order_id, product_id, customer_id, quantity, total_price, "
    "transaction_date, payment_method, weather, load_id, row_number"
)

FIRST_DELIVERY = f"""
select ledger.path, min(ledger.sequence) as priority
from sales_data.load_ledger as ledger
inner join affected_days as days on ledger.business_unit = days.business_unit and ledger.business_date = days.business_date
left join (
    select path, max(sequence) as sequence from sales_data.load_ledger where status = 'retracted' group by path
) as retraction on ledger.path = retraction.path
where ledger.status in ('loaded', 'superseded') and coalesce(ledger.reason_code, '') <> '{ReasonCode.TOO_MANY_BAD_ROWS}'
    and ledger.sequence > coalesce(retraction.sequence, 0)
group by ledger.path
"""
"""Since when each path of the affected days counts as delivered: its first loaded version since it was last retracted."""

AFFECTED_DAYS = "select distinct business_unit, business_date from {loads}"

BATCH_LOADS = f"""
select batch.*, coalesce(first_delivery.priority, batch.sequence) as priority
from batch_ledger as batch
left join ({FIRST_DELIVERY}) as first_delivery on batch.path = first_delivery.path
"""

DAY_LOADS = f"""
select ledger.load_id, ledger.path, coalesce(first_delivery.priority, ledger.sequence) as priority
from sales_data.load_ledger as ledger
inner join affected_days as days on ledger.business_unit = days.business_unit and ledger.business_date = days.business_date
left join ({FIRST_DELIVERY}) as first_delivery on ledger.path = first_delivery.path
where ledger.status = 'loaded'
"""

CORRECTED = f"""
select loads.load_number, corrections.row_number, {", ".join(f"corrections.{column}" for column in SALES_COLUMNS)}
from sales_data.row_corrections as corrections
inner join batch_loads as loads on corrections.path = loads.path and corrections.sha256 = loads.sha256
qualify row_number() over (
    partition by corrections.path, corrections.sha256, corrections.row_number order by corrections.sequence desc
) = 1
"""
"""What people put in the place of rows of these very contents; of several corrections of a row, the latest."""

REJECT_JUDGED = f"""
insert into rejected
select
    load_id, row_number, reason, {DETAIL}, business_unit, business_date, transaction_id, order_id, business_unit_text, product_id,
    customer_id, quantity_text, total_price_text, transaction_date_text, payment_method, weather_text, null
from judged
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

BAD_ROWS = """
select load_number, count(*) as bad
from rejected
inner join batch_loads on rejected.load_id = batch_loads.load_id
group by load_number
"""

REPLACED = """
select ledger.load_id, ledger.business_date, ledger.rows_loaded, batch.load_id as successor
from sales_data.load_ledger as ledger
inner join batch_loads as batch on ledger.path = batch.path
where ledger.status = 'held' or (ledger.status = 'loaded' and batch.load_id not in (select load_id from held_loads))
"""

OF_LOADED = "load_id in (select load_id from batch_loads) and load_id not in (select load_id from held_loads)"

DELETE_ROWS_OF = (
    "delete from sales_data.sales_transactions where business_date between {first} and {last} "
    "and load_id in (select load_id from {loads})"
)

TEXT_COLUMNS = ", ".join(
    f"coalesce(rejected.{column}, '')"
    for column in (
        "transaction_id", "order_id", "business_unit_text", "product_id", "customer_id", "quantity_text", "total_price_text",
        "transaction_date_text", "payment_method", "weather_text",
    )
)  # fmt: skip

QUARANTINE = f"""
insert into sales_data.quarantine (
    load_id, row_number, line_number, reason, detail, business_unit, business_date, transaction_id, order_id, business_unit_text,
    product_id, customer_id, quantity_text, total_price_text, transaction_date_text, payment_method, weather_text, raw_text
)
select
    rejected.load_id, rejected.row_number, raw_lines.line_number, reason, detail, business_unit, business_date,
    nullif(transaction_id, ''), nullif(order_id, ''), business_unit_text, product_id, customer_id, quantity_text, total_price_text,
    transaction_date_text, payment_method, weather_text,
    coalesce(
        raw_lines.raw_text, rejected.raw_text,
        concat_ws(',', {TEXT_COLUMNS})
    ) as raw_text
from rejected
left join raw_lines on rejected.load_id = raw_lines.load_id and rejected.row_number = raw_lines.row_number
"""

TOUCHED = """
with loads as (
    select load_id from batch_loads
    union
    select load_id from moved_loads
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

WRONG_COUNTS = """
select ledger.path, ledger.rows_in_file, ledger.rows_loaded, ledger.rows_quarantined
from sales_data.load_ledger as ledger
inner join touched on ledger.load_id = touched.load_id
where ledger.rows_in_file is null
    or (ledger.status = 'loaded' and ledger.rows_in_file <> ledger.rows_loaded + ledger.rows_quarantined)
    or (ledger.status <> 'loaded' and ledger.rows_loaded <> 0)
"""
