-- The scorecards' sums are the ledger's: rows loaded, quarantined and held, and the quarantined ones by their reasons.
{{ config(meta={'dagster': {'ref': {'name': 'mart_supplier_weeks'}}}) }}

with

ledger as (

    select
        sum(case when status = 'loaded' then rows_loaded else 0 end) as rows_loaded,
        sum(case when status = 'loaded' then rows_quarantined else 0 end) as rows_quarantined,
        sum(case when status = 'held' then rows_in_part else 0 end) as rows_held
    from {{ ref('int_load_parts') }}

),

weeks as (

    select
        sum(rows_loaded) as rows_loaded,
        sum(rows_quarantined) as rows_quarantined,
        sum(rows_held) as rows_held
    from {{ ref('mart_supplier_weeks') }}

),

faults as (

    select sum(row_count) as rows_quarantined
    from {{ ref('mart_supplier_faults') }}
    where kind = 'quarantined'

)

select
    ledger.rows_loaded,
    weeks.rows_loaded as rows_loaded_of_scorecards,
    ledger.rows_quarantined,
    weeks.rows_quarantined as rows_quarantined_of_scorecards,
    faults.rows_quarantined as rows_quarantined_by_reason,
    ledger.rows_held,
    weeks.rows_held as rows_held_of_scorecards
from ledger
cross join weeks
cross join faults
where
    coalesce(ledger.rows_loaded, 0) <> coalesce(weeks.rows_loaded, 0)
    or coalesce(ledger.rows_quarantined, 0) <> coalesce(weeks.rows_quarantined, 0)
    or coalesce(ledger.rows_quarantined, 0) <> coalesce(faults.rows_quarantined, 0)
    or coalesce(ledger.rows_held, 0) <> coalesce(weeks.rows_held, 0)
