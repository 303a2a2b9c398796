"""What is asked of the warehouse. Each reads what belongs to one thing; beside that some read the ledger, which has a row per file version,
or the prediction log, which has one per answer."""

STATES = "select state_version, published_at, run_id, last_event from serving.states where state_version = ?"
"""What the ledger had when a state was published, and by which run."""

ANSWERS = """
select
    customer_id, known_customer, business_unit, date, weather, daypart, model_version, state_version, probabilities, rest_products,
    rest_probability, deployment, mirrored, answered_at, request_id, log_file, line
from monitoring.prediction_log
where prediction_id = ?
order by answered_at, log_file, line
"""

LOG_FILES = "select log_file, sha256, run_id, ingested_at from monitoring.prediction_log_files where log_file = ?"

RANKED = """
select customer_id, business_unit, as_of_date as date, weather, model_version, state_version, rank, product_id, probability
from serving.recommendations
where prediction_id = ?
order by rank
"""

AUDIENCES = """
select audiences.campaign_id, audiences.customer_id, audiences.business_unit, audiences.product_id, audiences.arm, audiences.probability,
    campaigns.model_version, campaigns.state_version, campaigns.created_at
from serving.campaign_audiences as audiences
inner join serving.campaigns as campaigns on audiences.campaign_id = campaigns.campaign_id
where audiences.{column} = ?
order by audiences.campaign_id, audiences.customer_id
"""

TRAININGS = """
select run_id, snapshot, last_business_date, started_at, model_version, promoted, champion_version, decided_at, causes
from ml.trainings
where {column} = ?
order by started_at
"""

DECISIONS = """
select run_id, model_version, content_hash, snapshot, job_id, promoted, champion_version, reasons, decided_at
from ml.decisions
where model_version = ?
order by decided_at
"""

SIGN_OFFS = """
select decision, decided_by, reason, decided_at from ml.sign_offs where model_version = ? order by decided_at
"""

DBT_BUILDS = """
select model, fingerprint, built_at from sales_data.dbt_builds where model in ('feat_customer_state', 'feat_customer_product_state')
order by model
"""

LINES_OF_CUSTOMER = """
select
    lines.business_unit, lines.business_date, lines.store_id, lines.order_id, lines.transaction_id, lines.product_id, lines.quantity,
    lines.kind, lines.load_id, lines.row_number, entered.sequence as entered_by
from sales_data.sales_transactions as lines
left join (
    select load_id, min(sequence) as sequence from sales_data.ledger_events where event = 'loaded' group by load_id
) as entered on lines.load_id = entered.load_id
where lines.customer_id = ?
order by lines.business_date, lines.load_id, lines.row_number
"""

ENTRY = """
select load_id, sequence, path, etag, sha256, status, recorded_at, run_id, business_unit, business_date, rows_loaded, rows_quarantined
from sales_data.load_ledger
"""

ENTRIES = f"{ENTRY} where path = ? order by sequence"

ENTRIES_OF_CUSTOMER = f"""{ENTRY}
where load_id in (select load_id from sales_data.sales_transactions where customer_id = ?)
order by sequence
"""

OF_FILE = "load_id in (select load_id from sales_data.load_ledger where path = ?)"

FILE_LOADED = """(
    select min(events.sequence) as sequence, min(events.happened_at) as happened_at from sales_data.ledger_events as events
    inner join sales_data.load_ledger as ledger on events.load_id = ledger.load_id
    where ledger.path = ? and events.event = 'loaded'
)"""
"""When a file was loaded first: by the number of that event, and by the clock."""

CHANGED_SINCE = """
select distinct ledger.path, ledger.load_id, changes.event, changes.happened_at
from sales_data.ledger_events as changes
inner join sales_data.load_ledger as ledger on changes.load_id = ledger.load_id
where changes.sequence > ? and changes.event in ('superseded', 'retracted') and exists (
    select 1 from sales_data.ledger_events as entered
    where entered.load_id = changes.load_id and entered.event = 'loaded' and entered.sequence <= ?
)
order by changes.happened_at, ledger.path
"""
"""File versions that were loaded when a state was published, and are not any more."""

ROWS_OF_FILE = f"""
select count(*) as lines,
    count(distinct business_unit || ' ' || business_date || ' ' || coalesce(store_id, '') || ' ' || coalesce(order_id, transaction_id))
        as orders,
    count(distinct customer_id) as customers, min(business_date) as first_date, max(business_date) as last_date
from sales_data.sales_transactions
where {OF_FILE}
"""

STATES_WITH = f"""
select state_version, published_at, run_id
from serving.states as states
inner join {FILE_LOADED} as loaded on states.last_event >= loaded.sequence
order by published_at
"""
"""States that were published after a file had been loaded."""

STATES_RECORDED = "select state_version from serving.states"

TRAININGS_WITH = f"""
select run_id, snapshot, last_business_date, started_at, model_version, promoted, champion_version, decided_at
from ml.trainings
cross join {FILE_LOADED} as loaded
where last_business_date >= ? and case
    when last_event is not null then last_event >= loaded.sequence else started_at >= loaded.happened_at
end
order by started_at
"""
"""Trainings whose snapshot was exported after a file had been loaded; those of earlier releases by the clock."""

CUSTOMERS_OF_FILE = (
    f"(select customer_id from sales_data.sales_transactions where customer_id is not null and {OF_FILE})"
)

ANSWERS_TO = f"""
select state_version, model_version, deployment, count(*) as answers, count(distinct prediction_id) as predictions,
    count(distinct customer_id) as customers, min(answered_at) as first_answered, max(answered_at) as last_answered
from monitoring.prediction_log
where customer_id in {CUSTOMERS_OF_FILE}
group by state_version, model_version, deployment
order by first_answered, state_version, model_version, deployment
"""

RECOMMENDED_TO = f"""
select state_version, model_version, count(distinct customer_id) as customers, count(distinct prediction_id) as predictions
from serving.recommendations
where customer_id in {CUSTOMERS_OF_FILE}
group by state_version, model_version
order by state_version, model_version
"""

MAILED_TO = f"""
select audiences.campaign_id, campaigns.state_version, campaigns.model_version, campaigns.created_at,
    count(distinct audiences.customer_id) as customers
from serving.campaign_audiences as audiences
inner join serving.campaigns as campaigns on audiences.campaign_id = campaigns.campaign_id
where audiences.customer_id in {CUSTOMERS_OF_FILE}
group by audiences.campaign_id, campaigns.state_version, campaigns.model_version, campaigns.created_at
order by campaigns.created_at, audiences.campaign_id
"""

ANSWERS_OF_MODEL = """
select deployment, mirrored, state_version, count(*) as answers, count(distinct customer_id) as customers,
    min(answered_at) as first_answered, max(answered_at) as last_answered
from monitoring.prediction_log
where model_version = ?
group by deployment, mirrored, state_version
order by first_answered, deployment
"""

RECOMMENDED_BY = """
select state_version, count(distinct customer_id) as customers, count(distinct prediction_id) as predictions
from serving.recommendations
where model_version = ?
group by state_version
"""

TAKINGS_OF_FILE = f"""
select coalesce(currency, '') as currency, sum(total_price) as amount
from sales_data.sales_transactions where {OF_FILE}
group by coalesce(currency, '') order by currency
"""

DATES_OF_FILE = (
    f"select distinct business_date from sales_data.sales_transactions where {OF_FILE} order by business_date"
)

TOUCHED_CUSTOMERS = f"""
select distinct customer_id from {CUSTOMERS_OF_FILE} as touched order by customer_id
"""

SAMPLE_OF_BATCH = (
    "select prediction_id from serving.recommendations where rank = 1 order by md5(prediction_id || ?) limit ?"
)

SAMPLE_OF_LOG = """
select distinct prediction_id, md5(prediction_id || ?) as place
from monitoring.prediction_log
where answered_at >= (select max(answered_at) - interval '1 day' from monitoring.prediction_log)
order by place limit ?
"""

SAMPLE_OF_FILES = "select sha256 from sales_data.kept_files order by md5(sha256 || ?) limit ?"

LAST_EVENT_BEFORE = (
    "select coalesce(max(sequence), 0) as last_event from sales_data.ledger_events where happened_at < ?"
)

FILES_AS_OF = """
with

known as (
    select
        events.load_id, events.event as status, events.reason_code, events.reason,
        row_number() over (partition by events.load_id order by events.sequence desc) as newest
    from sales_data.ledger_events as events
    where events.sequence <= ? and events.business_unit is null
        and events.event in ('loaded', 'refused', 'held', 'superseded', 'retracted')
),

versions as (
    select
        ledger.path, ledger.sha256, ledger.etag, ledger.load_id, known.status, known.reason_code, known.reason, ledger.rows_in_file,
        ledger.recorded_at, row_number() over (partition by ledger.path order by ledger.sequence desc) as newest
    from known
    inner join sales_data.load_ledger as ledger on known.load_id = ledger.load_id
    where known.newest = 1
)

select path, sha256, etag, load_id, status, reason_code, reason, rows_in_file, recorded_at from versions where newest = 1 order by path
"""
"""The latest version of each path that was known after an event, in the status that it had then."""

DECISIONS_BEFORE = """
select model_version, content_hash, snapshot, promoted, champion_version, decided_at from ml.decisions where decided_at < ?
order by decided_at desc limit 1
"""

STATES_BEFORE = """
select state_version, published_at, last_event from serving.states where published_at < ? order by published_at desc limit 1
"""

ANSWERS_ON = """
select deployment, model_version, state_version, count(*) as answers, count(distinct customer_id) as customers
from monitoring.prediction_log
where answered_at >= ? and answered_at < ?
group by deployment, model_version, state_version
order by deployment, model_version, state_version
"""
