"""Conservation over the whole ledger: every row of every file is accounted for, and the events of each version lead to its present status.

Within a load the same is asserted for what it touches (`ownership.count_and_check`); this finds what happened outside of loads.
"""

from resources.warehouse.warehouse import Transaction

UNBALANCED = """
select
    coalesce(ledger.path, loaded.load_id) as path, ledger.rows_in_file, coalesce(loaded.n, 0) as rows_loaded,
    coalesce(quarantined.n, 0) as rows_quarantined
from (select * from sales_data.load_ledger where business_date is not null) as ledger
full outer join (
    select load_id, count(*) as n from sales_data.sales_transactions group by load_id
) as loaded on ledger.load_id = loaded.load_id
left join (
    select load_id, count(*) as n from sales_data.quarantine group by load_id
) as quarantined on ledger.load_id = quarantined.load_id
left join (
    select load_id, sum(rows_in_part - rows_quarantined) as n
    from sales_data.load_parts
    where status in ('held', 'superseded')
    group by load_id
) as others on ledger.load_id = others.load_id
where ledger.load_id is null
    or coalesce(loaded.n, 0) <> case when ledger.status = 'loaded' then ledger.rows_loaded else 0 end
    or (ledger.status = 'held' and ledger.rows_loaded <> 0)
    or (ledger.status in ('loaded', 'held') and ledger.rows_quarantined <> coalesce(quarantined.n, 0))
    or (
        ledger.status = 'loaded'
        and ledger.rows_in_file <> coalesce(loaded.n, 0) + coalesce(quarantined.n, 0) + coalesce(others.n, 0)
    )
order by path
"""

UNBALANCED_PARTS = """
select
    coalesce(parts.path, loaded.load_id) as path, parts.rows_in_part as rows_in_file, coalesce(loaded.n, 0) as rows_loaded,
    coalesce(parts.rows_quarantined, 0) as rows_quarantined
from (
    select load_parts.*, ledger.path
    from sales_data.load_parts
    inner join sales_data.load_ledger as ledger on load_parts.load_id = ledger.load_id
    where load_parts.status = 'loaded'
) as parts
full outer join (
    select load_id, business_unit, business_date, count(*) as n
    from sales_data.sales_transactions
    group by load_id, business_unit, business_date
) as loaded
    on parts.load_id = loaded.load_id and parts.business_unit = loaded.business_unit and parts.business_date = loaded.business_date
where parts.load_id is null or parts.rows_loaded <> coalesce(loaded.n, 0)
    or parts.rows_in_part <> parts.rows_loaded + parts.rows_quarantined
order by path
"""

OTHER_THAN_ITS_EVENTS = """
with last_events as (
    select load_id, max(sequence) as sequence, max_by(event, sequence) as status
    from sales_data.ledger_events
    where business_unit is null and event not in ('released', 'retried')
    group by load_id
),

of_parts as (
    select load_id, business_unit, business_date, max(sequence) as sequence, max_by(event, sequence) as status
    from sales_data.ledger_events
    where business_unit is not null
    group by load_id, business_unit, business_date
),

parts as (
    select
        parts.load_id,
        sum(case
            when parts.status = case
                when of_parts.status = 'superseded' or of_parts.sequence > last_events.sequence then of_parts.status
                else last_events.status
            end then 0
            else 1
        end) as wrong
    from sales_data.load_parts as parts
    left join last_events on parts.load_id = last_events.load_id
    left join of_parts
        on parts.load_id = of_parts.load_id and parts.business_unit = of_parts.business_unit
            and parts.business_date = of_parts.business_date
    group by parts.load_id
)

select ledger.path, ledger.rows_in_file, ledger.rows_loaded, ledger.rows_quarantined
from sales_data.load_ledger as ledger
left join last_events on ledger.load_id = last_events.load_id
left join parts on ledger.load_id = parts.load_id
where last_events.status is null or last_events.status <> ledger.status or parts.wrong > 0
order by ledger.path
"""
"""Versions whose present status is not what their events lead to. A part goes with its file, but for what happened to it alone: then the
later of both counts, and what was replaced stays so."""


def unbalanced_files(transaction: Transaction) -> list[dict[str, object]]:
    """Files whose counted rows differ from the ledger or the file (rows lost, doubled, or of a version that is not loaded), and files whose
    events lead to another status than they have; each once.
    """
    found: dict[object, dict[str, object]] = {}
    for query in (UNBALANCED, UNBALANCED_PARTS, OTHER_THAN_ITS_EVENTS):
        for row in transaction.fetch(query).to_pylist():
            found.setdefault(row["path"], row)
    return list(found.values())
