"""The SQL of the ledger, without that of loads (`statements`). Nothing is executed here."""

from globolatte_ingest.reasons import HOLDS, ReasonCode
from resources.landing.landing_zone import NoFile
from resources.warehouse.dialect import literal

# Reading ------------------------------------------------------------------------------------------------------------------

IS_VERSION = f"case when etag in ({', '.join(map(literal, NoFile))}) then 0 else 1 end"
"""Orders entries: what lay under a path and was no file (a link, something that could not be looked into) says nothing new of the
versions of that path which are recorded, whenever it was seen."""

PARTS_HELD = """
select load_id, count(*) as n, min(reason_code) as reason_code
from sales_data.load_parts where status = 'held' group by load_id
"""
"""How many units' parts of a version are held: some of a loaded one, all of one that is held as a whole."""

LATEST_FIRST = f"""
select
    path, status, rows_in_file, rows_loaded, rows_quarantined, recorded_at, ledger.reason_code, reason, coalesce(held.n, 0) as parts_held
from sales_data.load_ledger as ledger
left join ({PARTS_HELD}) as held on ledger.load_id = held.load_id
qualify row_number() over (partition by path order by {IS_VERSION} desc, sequence desc) = 1 and (? = '' or status = ?)
order by sequence desc
"""

VERSIONS_OF_PATH = f"""
select
    sequence, ledger.load_id, etag, sha256, size_bytes, status, ledger.reason_code, reason, rows_in_file, rows_loaded, rows_quarantined,
    attempt, run_id, recorded_at, superseded_by, coalesce(held.n, 0) as parts_held
from sales_data.load_ledger as ledger
left join ({PARTS_HELD}) as held on ledger.load_id = held.load_id
where path = ?
order by {IS_VERSION}, sequence
"""

STEPS_OF_PATH = """
select step, etag, asked_by, note, asked_at, settled_at, outcome, run_id, load_id
from sales_data.ledger_steps
where path = ?
order by sequence
"""

EVENTS_OF_PATH = """
select
    events.happened_at, events.event, ledger.sha256, events.business_unit, events.business_date, events.reason_code, events.reason,
    events.asked_by, events.note, events.run_id, events.load_id
from sales_data.ledger_events as events
inner join sales_data.load_ledger as ledger on events.load_id = ledger.load_id
where ledger.path = ?
order by events.sequence
"""

CRASHED = f"""
with crashed as (
    select attempts.path, attempts.etag, max(attempts.attempt) as tried, max(attempts.started_at) as last
    from sales_data.load_attempts as attempts
    left join (
        select path, etag, max(attempt) as attempt
        from sales_data.load_ledger
        where coalesce(reason_code, '') <> '{ReasonCode.MISPLACED}'
        group by path, etag
    ) as recorded on attempts.path = recorded.path and attempts.etag = recorded.etag
    where attempts.started_at >= ? and (recorded.attempt is null or attempts.attempt > recorded.attempt)
    group by attempts.path, attempts.etag
)

select
    crashed.path, crashed.etag, crashed.tried, crashed.last, coalesce(latest.recorded_at > crashed.last, false) as is_replaced
from crashed
left join (
    select path, max(recorded_at) as recorded_at from sales_data.load_ledger group by path
) as latest on crashed.path = latest.path
order by crashed.last, crashed.path
"""
"""A file version counts as crashed while its last attempt has no entry; an entry refused only because of its path does not count as one."""

HOLDING = ", ".join(f"'{code}'" for code in HOLDS)

LOADED_FILES = f"""
select
    units.folder, parts.business_date as date, parts.status, ledger.path, parts.load_id, parts.rows_loaded, parts.rows_quarantined
from sales_data.load_parts as parts
inner join sales_data.load_ledger as ledger on parts.load_id = ledger.load_id
inner join sales_data.business_units as units on parts.business_unit = units.business_unit_id
where units.folder = ? and parts.business_date between ? and ? and (
    parts.status in ('loaded', 'retracted')
    or (parts.status = 'superseded' and coalesce(parts.reason_code, '') not in ({HOLDING}))
)
order by parts.business_date, ledger.path, ledger.sequence
"""

OTHER_UNITS = """
select distinct units.folder
from sales_data.load_parts as parts
inner join sales_data.load_ledger as ledger on parts.load_id = ledger.load_id
inner join sales_data.business_units as own on ledger.business_unit = own.business_unit_id
inner join sales_data.business_units as units on parts.business_unit = units.business_unit_id
where own.folder = ? and parts.business_date between ? and ? and parts.business_unit <> ledger.business_unit
order by units.folder
"""

DAYS_OF_RUNS = """
with runs as (
    select cast(? as varchar) as run_id
    union
    select run_id from sales_data.announcements
    where settled_at is null and business_unit = ? and first_date >= ? and last_date <= ?
),

loads as (
    select load_id from sales_data.load_ledger where run_id in (select run_id from runs)
),

touched as (
    select load_id from loads
    union
    select load_id from sales_data.load_ledger where superseded_by in (select load_id from loads)
    union
    select load_id from sales_data.load_ledger
    where path in (
        select path from sales_data.ledger_steps where step = 'retract' and run_id in (select run_id from runs)
    )
)

select distinct units.folder, parts.business_date as date
from sales_data.load_parts as parts
inner join touched on parts.load_id = touched.load_id
inner join sales_data.business_units as units on parts.business_unit = units.business_unit_id
order by units.folder, parts.business_date
"""

OUTSTANDING_ANNOUNCEMENTS = """
select run_id, business_unit as folder, first_date as first, last_date as last from sales_data.announcements where settled_at is null
"""

APPROVALS = """
select loads.load_id, max_by(steps.asked_by, steps.sequence) as asked_by, max_by(steps.note, steps.sequence) as note
from sales_data.ledger_steps as steps
inner join batch_loads as loads on steps.path = loads.path and steps.sha256 = loads.sha256
where steps.step = 'approve'
group by loads.load_id
"""

NOTE_KNOWN = """
insert into sales_data.known_etags (path, etag, sha256, known_at)
select distinct known_again.path, known_again.etag, known_again.sha256, ?
from known_again
left join sales_data.known_etags as known
    on known_again.path = known.path and known_again.etag = known.etag and known_again.sha256 = known.sha256
where known.path is null and not exists (
    select 1 from sales_data.load_ledger as ledger
    where ledger.path = known_again.path and ledger.etag = known_again.etag and ledger.sha256 = known_again.sha256
)
"""

# Writing ------------------------------------------------------------------------------------------------------------------

APPEND_EVENTS = """
insert into sales_data.ledger_events (
    sequence, happened_at, run_id, load_id, event, business_unit, business_date, reason_code, reason, asked_by, note
)
select
    row_number() over (order by happened.place, happened.load_id, happened.business_unit, happened.business_date, happened.event)
        + (select coalesce(max(sequence), 0) from sales_data.ledger_events),
    ?, ?, happened.load_id, happened.event, happened.business_unit, happened.business_date, happened.reason_code, happened.reason,
    happened.asked_by, happened.note
from ({events}) as happened
"""

NO_PART = "cast(null as varchar) as business_unit, cast(null as date) as business_date"
NO_REASON = "cast(null as varchar) as reason_code, cast(null as varchar) as reason"
NOBODY = "cast(null as varchar) as asked_by, cast(null as varchar) as note"

ENTERED = f"""
select 3 as place, load_id, status as event, {NO_PART}, reason_code, reason, {NOBODY}
from sales_data.load_ledger where load_id in (select load_id from {{entries}})
"""
"""What becomes of new entries."""

REFERENCE_REPLACED = f"""
select 2 as place, load_id, 'superseded' as event, {NO_PART}, {NO_REASON}, {NOBODY}
from sales_data.load_ledger where superseded_by in (select load_id from ledger_rows)
"""

LOADS = f"""
select
    1 as place, load_id, case when step = 'retry' then 'retried' else 'released' end as event, {NO_PART}, {NO_REASON},
    asked_by, note
from sales_data.ledger_steps where load_id in (select load_id from done_entries)
union all
select distinct
    2, replaced.load_id, 'superseded',
    case when ledger.status <> 'superseded' then replaced.business_unit end,
    case when ledger.status <> 'superseded' then replaced.business_date end,
    cast(null as varchar), cast(null as varchar), cast(null as varchar), cast(null as varchar)
from replaced
inner join sales_data.load_ledger as ledger on replaced.load_id = ledger.load_id
union all
{ENTERED.format(entries="done_entries")}
union all
select
    4, held.load_id, 'held', held.business_unit, held.business_date, held.reason_code, held.reason,
    cast(null as varchar), cast(null as varchar)
from held_parts as held
inner join sales_data.load_ledger as ledger on held.load_id = ledger.load_id
where ledger.status = 'loaded'
"""
"""What a load does: to earlier versions as wholes or to some of their parts, and to the new ones."""

RETRACTIONS = f"""
select distinct
    1 as place, replaced.load_id, 'retracted' as event, {NO_PART}, {NO_REASON}, steps.asked_by, steps.note
from replaced
inner join retracted_path on true
inner join sales_data.ledger_steps as steps on retracted_path.step_id = steps.step_id
"""

NOTE_ATTEMPTS = """
insert into sales_data.load_attempts
select tried.path, tried.etag, 1 + coalesce(max(earlier.attempt), 0), ?, ? from tried
left join sales_data.load_attempts as earlier on tried.path = earlier.path and tried.etag = earlier.etag
group by tried.path, tried.etag
"""

MARK_RELOADS_DONE = """
update sales_data.ledger_steps set settled_at = ?, run_id = ?, load_id = entries.load_id,
    outcome = coalesce(entries.outcome, 'loaded')
from (
    select ledger.path, ledger.etag, ledger.sha256, ledger.load_id, ledger.status || case
        when ledger.status = 'refused' then ': ' || ledger.reason
        else ' (' || ledger.rows_loaded || ' rows loaded, ' || ledger.rows_quarantined || ' quarantined)'
    end || case when position('held in part: ' in ledger.reason) = 1 then ', ' || ledger.reason else '' end as outcome
    from sales_data.load_ledger as ledger
    inner join done_entries on ledger.load_id = done_entries.load_id
) as entries
where ledger_steps.path = entries.path and (ledger_steps.etag = entries.etag or ledger_steps.sha256 = entries.sha256)
    and ledger_steps.settled_at is null
    and ledger_steps.step in ('approve', 'release', 'retry')
"""
