"""The tables that Python owns, as numbered migrations. Tables that dbt builds are not here.

A migration is never edited once released: a change is a new migration. Tables are migrated, never dropped. The statements
use only what DuckDB and Snowflake both understand.
"""

RAW_SALES = """
create schema if not exists sales_data;
create schema if not exists ml;
create schema if not exists serving;
create table sales_data.business_units (
    business_unit_id varchar not null, country varchar not null, unit_name varchar not null, folder varchar not null,
    time_zone varchar not null
);
create table sales_data.products (
    product_id varchar not null, product_name varchar not null, category varchar, price decimal(18, 2) not null, stock_quantity bigint
);
create table sales_data.customers (
    customer_id varchar not null, customer_name varchar, email varchar, location varchar, marketing_opt_out boolean not null
);
create table sales_data.holidays (country varchar not null, date date not null, name varchar not null);
create table sales_data.sales_transactions (
    business_unit varchar not null, business_date date not null, transaction_id varchar not null, order_id varchar not null,
    product_id varchar not null, customer_id varchar not null, quantity bigint not null, total_price decimal(18, 2) not null,
    transaction_date timestamp not null, payment_method varchar, weather varchar not null,
    load_id varchar not null, row_number bigint not null
);
create table sales_data.load_ledger (
    load_id varchar not null, sequence bigint not null, path varchar not null, etag varchar not null, sha256 varchar not null,
    size_bytes bigint not null, business_unit varchar, business_date date, status varchar not null, reason varchar,
    rows_in_file bigint, rows_loaded bigint, rows_quarantined bigint, extra_columns varchar,
    attempt integer not null, run_id varchar not null, recorded_at timestamp not null, superseded_by varchar
);
create table sales_data.quarantine (
    load_id varchar not null, row_number bigint not null, reason varchar not null, detail varchar,
    business_unit varchar, business_date date,
    transaction_id varchar, order_id varchar, business_unit_text varchar, product_id varchar, customer_id varchar,
    quantity_text varchar, total_price_text varchar, transaction_date_text varchar, payment_method varchar, weather_text varchar,
    raw_text varchar
);
create table sales_data.load_attempts (
    path varchar not null, etag varchar not null, attempt integer not null, run_id varchar not null, started_at timestamp not null
);
create table sales_data.announcements (
    run_id varchar not null, business_unit varchar not null, first_date date not null, last_date date not null,
    recorded_at timestamp not null, settled_at timestamp
);
create table ml.holdout_predictions (
    model_version varchar not null, order_id varchar not null, product_id varchar not null, probability double not null
);
create table ml.evaluations (
    model_version varchar not null, snapshot varchar not null, holdout_orders bigint not null, log_loss double,
    hit_rate_at_1 double, hit_rate_at_3 double, expected_calibration_error double, evaluation varchar not null,
    evaluated_at timestamp not null
);
create table serving.recommendations (
    prediction_id varchar not null, customer_id varchar not null, business_unit varchar not null, as_of_date date not null,
    weather varchar not null, is_expected_weather boolean not null, rank integer not null, product_id varchar not null,
    probability double not null, model_version varchar not null, state_version varchar not null
);
"""

PREDICTION_LOG = """
create schema if not exists monitoring;
create table monitoring.prediction_log (
    log_file varchar not null, line bigint not null, prediction_id varchar not null, answered_at timestamp not null,
    request_id varchar, deployment varchar not null, mirrored boolean not null, model_version varchar not null,
    state_version varchar not null, customer_id varchar not null, known_customer boolean not null, business_unit varchar not null,
    date date not null, weather varchar not null, daypart varchar, top_product varchar not null, probabilities varchar not null
);
create table monitoring.prediction_log_files (
    log_file varchar not null, sha256 varchar not null, lines bigint not null, rows_ingested bigint not null,
    rows_rejected bigint not null, run_id varchar not null, ingested_at timestamp not null
);
create table monitoring.prediction_log_rejects (
    log_file varchar not null, line bigint not null, reason varchar not null, raw_text varchar
);
"""

DRIFT_AND_PERFORMANCE = """
create schema if not exists monitoring;
create table monitoring.drift (
    window_id varchar not null, scope varchar not null, window_from date not null, window_to date not null, orders bigint not null,
    model_version varchar not null, snapshot varchar not null, window_status varchar not null, faults varchar,
    reference varchar not null, reference_orders bigint not null, column_name varchar not null, method varchar not null,
    statistic double, threshold double not null, status varchar not null, note varchar, recorded_at timestamp not null
);
create table monitoring.performance (
    window_id varchar not null, scope varchar not null, window_from date not null, window_to date not null, orders bigint not null,
    model_version varchar not null, snapshot varchar not null, status varchar not null, log_loss double, hit_rate_at_1 double,
    highest_log_loss double not null, lowest_hit_rate double not null, recorded_at timestamp not null
);
"""

STEPS_AND_FORMATS = """
alter table sales_data.business_units add column encoding varchar;
alter table sales_data.business_units add column delimiter varchar;
alter table sales_data.business_units add column decimal_mark varchar;
alter table sales_data.business_units add column thousands_mark varchar;
alter table sales_data.business_units add column date_format varchar;
alter table sales_data.load_ledger add column reason_code varchar;
alter table sales_data.quarantine add column line_number bigint;
create table sales_data.ledger_steps (
    step_id varchar not null, sequence bigint not null, step varchar not null, path varchar not null, etag varchar not null,
    sha256 varchar not null, folder varchar not null, business_date date not null, asked_by varchar not null, note varchar,
    asked_at timestamp not null, settled_at timestamp, run_id varchar, load_id varchar, outcome varchar
);
create table sales_data.row_corrections (
    step_id varchar not null, sequence bigint not null, path varchar not null, sha256 varchar not null, row_number bigint not null,
    transaction_id varchar, order_id varchar, business_unit varchar, product_id varchar, customer_id varchar, quantity varchar,
    total_price varchar, transaction_date varchar, payment_method varchar, weather varchar
);
"""

SEGMENTS = """
create table ml.segments (
    customer_id varchar not null, segment_id integer not null, segment_name varchar not null, confidence double not null,
    is_provisional boolean not null, fit_id varchar not null, as_of_date date not null
);
create table ml.segment_profiles (
    segment_id integer not null, segment_name varchar not null, customers bigint not null, share_of_customers double not null,
    share_of_sales double not null, orders_per_30_days double not null, spend_per_order double not null,
    lines_per_order double not null, days_since_last_order double not null, favourite_product_id varchar not null,
    peak_daypart varchar not null, profile varchar not null, fit_id varchar not null, as_of_date date not null
);
create table ml.segment_fits (
    fit_id varchar not null, fitted_at timestamp not null, learned_until date not null, customers bigint not null,
    segments integer not null, stability double, silhouette double, reason varchar not null, parameters varchar not null
);
"""

AFFINITY = """
create table ml.product_affinity (
    region varchar not null, kind varchar not null, anchor_product_id varchar not null, product_id varchar not null,
    orders bigint not null, orders_with_both bigint not null, customers bigint not null, design_effect double not null,
    rate double not null, expected_rate double not null, lift double, shrunken_lift double not null, lift_low double not null,
    p_value double not null, q_value double not null, is_significant boolean not null, value_per_100_offers double not null,
    rank integer, as_of_date date not null
);
"""

REGIONAL = """
create table serving.regional_recommendations (
    business_unit varchar not null, season varchar not null, weather varchar not null, is_season_now boolean not null,
    weather_share double not null, weather_days bigint not null, rank integer not null, product_id varchar not null,
    probability double not null, model_version varchar not null, state_version varchar not null, as_of_date date not null
);
"""

SIGN_OFFS = """
create table ml.sign_offs (
    model_version varchar not null, content_hash varchar not null, decision varchar not null, decided_by varchar not null,
    reason varchar not null, decided_at timestamp not null
);
"""

CAMPAIGNS = """
create table serving.campaigns (
    campaign_id varchar not null, product_id varchar, starts_on date not null, ends_on date not null, budget double not null,
    cost_per_contact double not null, control_share double not null, odds_ratio double not null, odds_ratio_source varchar not null,
    eligible bigint not null, excluded_opted_out bigint not null, excluded_recently_contacted bigint not null,
    excluded_held_out bigint not null, offers bigint not null, controls bigint not null, expected_purchases double not null,
    expected_extra double not null, expected_extra_low double not null, expected_extra_high double not null,
    model_version varchar not null, state_version varchar not null, created_at timestamp not null
);
create table serving.campaign_audiences (
    campaign_id varchar not null, customer_id varchar not null, business_unit varchar not null, product_id varchar not null,
    arm varchar not null, rank integer not null, probability double not null, expected_orders double not null,
    expected_purchases double not null, expected_extra double not null, prediction_id varchar not null
);
create table serving.contact_log (
    campaign_id varchar not null, customer_id varchar not null, product_id varchar not null, contacted_on date not null
);
create table serving.campaign_results (
    campaign_id varchar not null, status varchar not null, measured_until date not null, customers_offer bigint not null,
    customers_control bigint not null, orders_offer bigint not null, orders_control bigint not null,
    purchases_offer bigint not null, purchases_control bigint not null, expected_extra double not null, extra_purchases double,
    extra_low double, extra_high double, odds_ratio double, log_odds_ratio double, log_odds_error double,
    measured_at timestamp not null
);
"""

RESPONSIBLE_AI = """
create table ml.responsible_ai (
    model_version varchar not null, snapshot varchar not null, section varchar not null, subject varchar not null,
    measure varchar not null, estimate double not null, low double, high double, orders bigint, recorded_at timestamp not null
);
"""

DBT_BUILDS = """
create table sales_data.dbt_builds (model varchar not null, fingerprint varchar not null, built_at timestamp not null);
"""

MISPLACED_BY_CODE = """
update sales_data.load_ledger set reason_code = 'misplaced'
where reason_code is null and status = 'refused' and position('misplaced: ' in reason) = 1;
"""
"""Before there were reason codes, files refused for their path were identified by the text of the reason."""

TRAININGS = """
create table ml.trainings (
    run_id varchar not null, snapshot varchar not null, last_business_date date not null, started_at timestamp not null,
    model_version varchar, promoted boolean, champion_version varchar, decided_at timestamp
);
"""

KEPT_FILES = """
create table sales_data.kept_files (
    sha256 varchar not null, pack varchar not null, size_bytes bigint not null, kept_at timestamp not null
);
"""
"""Which pack has the bytes of a loaded content (`globolatte_ingest.kept_files`). One row a content, however often it was delivered."""

UNIT_DECLARATIONS = """
create table sales_data.unit_declarations (business_unit_id varchar not null, declaration varchar not null);
"""

SALES_AS_TILLS_WRITE_THEM = """
alter table sales_data.sales_transactions alter column order_id drop not null;
alter table sales_data.sales_transactions alter column customer_id drop not null;
alter table sales_data.sales_transactions alter column weather drop not null;
alter table sales_data.sales_transactions add column store_id varchar;
alter table sales_data.sales_transactions add column discount decimal(18, 2);
alter table sales_data.sales_transactions add column promotion varchar;
alter table sales_data.sales_transactions add column currency varchar;
alter table sales_data.sales_transactions add column kind varchar default 'sale';
alter table sales_data.sales_transactions add column refunded_order_id varchar;
alter table sales_data.sales_transactions add column refunded_date date;
alter table sales_data.quarantine add column store_id varchar;
alter table sales_data.quarantine add column discount_text varchar;
alter table sales_data.quarantine add column promotion varchar;
alter table sales_data.quarantine add column currency_text varchar;
alter table sales_data.quarantine add column kind_text varchar;
alter table sales_data.quarantine add column refunded_order_id varchar;
alter table sales_data.quarantine add column refunded_date_text varchar;
alter table sales_data.row_corrections add column store_id varchar;
alter table sales_data.row_corrections add column discount varchar;
alter table sales_data.row_corrections add column promotion varchar;
alter table sales_data.row_corrections add column currency varchar;
alter table sales_data.row_corrections add column kind varchar;
alter table sales_data.row_corrections add column refunded_order_id varchar;
alter table sales_data.row_corrections add column refunded_date varchar;
create table sales_data.load_parts (
    load_id varchar not null, business_unit varchar not null, business_date date not null, status varchar not null,
    reason_code varchar, reason varchar, rows_in_part bigint, rows_loaded bigint, rows_quarantined bigint
);
"""
"""NULL in a column that files may leave out: not told. Whatever was loaded before there were kinds is a sale."""

WEATHER = """
create table sales_data.weather (
    path varchar not null, business_unit varchar, store_id varchar, date date not null, hour integer, weather varchar not null
);
"""

KNOWN_ETAGS = """
create table sales_data.known_etags (
    path varchar not null, etag varchar not null, sha256 varchar not null, known_at timestamp not null
);
"""
"""Further etags under which the recorded content of a path was found again, after a copy or an upload of the same bytes."""

EXCHANGE_RATES = """
create table sales_data.exchange_rates (date date not null, currency varchar not null, rate decimal(18, 8) not null);
alter table sales_data.products add column currency varchar;
"""

PARTS_OF_LOADS = """
insert into sales_data.load_parts (
    load_id, business_unit, business_date, status, reason_code, reason, rows_in_part, rows_loaded, rows_quarantined
)
select load_id, business_unit, business_date, status, reason_code, reason, rows_in_file, rows_loaded, rows_quarantined
from sales_data.load_ledger
where business_date is not null and business_unit is not null
    and not exists (select 1 from sales_data.load_parts as known where known.load_id = load_ledger.load_id);
"""
"""Before files could hold several units, each had one part, equal to its entry."""

LEDGER_EVENTS = """
create table sales_data.ledger_events (
    sequence bigint not null, load_id varchar not null, happened_at timestamp not null, event varchar not null, business_unit varchar,
    business_date date, reason_code varchar, reason varchar, run_id varchar, asked_by varchar, note varchar
);
insert into sales_data.ledger_events (sequence, load_id, happened_at, event, reason_code, reason, run_id)
select row_number() over (order by known.place, known.sequence), known.load_id, known.happened_at, known.event, known.reason_code,
    known.reason, known.run_id
from (
    select
        1 as place, sequence, load_id, recorded_at as happened_at, reason_code, run_id, cast(null as varchar) as reason,
        case when reason_code in ('too_many_bad_rows', 'takes_away_too_much', 'another_unit') then 'held' else 'loaded' end as event
    from sales_data.load_ledger
    where status in ('superseded', 'retracted')
    union all
    select
        2 as place, ledger.sequence, ledger.load_id, coalesce(successor.recorded_at, ledger.recorded_at) as happened_at,
        ledger.reason_code, coalesce(successor.run_id, ledger.run_id) as run_id, ledger.reason, ledger.status as event
    from sales_data.load_ledger as ledger
    left join sales_data.load_ledger as successor on ledger.superseded_by = successor.load_id
) as known
where not exists (select 1 from sales_data.ledger_events);
"""
"""What happened to each file version, and to a part alone, in its order. Of what was loaded before there were events, the status that it
had first, as far as it is known, and the one that it has."""

KEPT_VERSIONS = """
alter table sales_data.kept_files alter column pack drop not null;
alter table sales_data.kept_files add column path varchar;
alter table sales_data.kept_files add column version_id varchar;
"""
"""Where the landing zone keeps versions itself, a content is kept as the version of a path, and in no pack."""

CONTENT_OF_WINDOWS = """
alter table monitoring.drift add column delivered varchar;
alter table monitoring.performance add column delivered varchar;
"""

AMOUNTS_NOT_KNOWN = """
alter table ml.segment_profiles alter column share_of_sales drop not null;
alter table ml.segment_profiles alter column spend_per_order drop not null;
"""
"""NULL: what some customers paid cannot be said in one currency."""

ACCEPTED_CHANGES = """
create table monitoring.accepted_changes (
    change_id varchar not null, column_name varchar not null, business_unit varchar, since date not null, reason varchar not null,
    accepted_by varchar not null, accepted_at timestamp not null, undone_by varchar, undone_reason varchar, undone_at timestamp
);
alter table monitoring.drift add column judged_by varchar;
alter table ml.trainings add column causes varchar;
"""
"""`judged_by` names what a window was judged by: the columns that matter, and the accepted changes. `causes`: what monitoring found when a
training began. NULL before there was any of it."""

ACCEPTED_GAPS = "alter table monitoring.accepted_changes add column is_empty boolean"
"""Whether missing values were accepted, too. NULL before this was asked for, when every acceptance meant them."""

LARGE_CATALOGUES = """
alter table ml.holdout_predictions add column rank bigint;
create table ml.holdout_rest (
    model_version varchar not null, order_id varchar not null, products bigint not null, probability double not null
);
alter table monitoring.prediction_log add column rest_products bigint;
alter table monitoring.prediction_log add column rest_probability double;
"""
"""Of a large catalogue the best products of a prediction are stored, and how many others there are with the sum of their probabilities.
NULL, or no row, where every product is stored; the rank then follows from the probabilities."""

GOODS_BY_WEIGHT = """
alter table sales_data.sales_transactions add column weight decimal(18, 3);
alter table sales_data.quarantine add column weight_text varchar;
alter table sales_data.row_corrections add column weight varchar;
"""
"""What a line weighs whose quantity is a weight; its quantity is one piece."""

STATES_AND_DECISIONS = """
create table serving.states (
    state_version varchar not null, published_at timestamp not null, run_id varchar not null, last_event bigint not null
);
create table ml.decisions (
    run_id varchar not null, model_version varchar not null, content_hash varchar not null, snapshot varchar not null,
    job_id varchar not null, promoted boolean not null, champion_version varchar, reasons varchar not null, decided_at timestamp not null
);
alter table ml.trainings add column last_event bigint;
"""
"""Which event of the ledger was the last when a customer state was first published, and when a snapshot was exported; each decision on a
model with its reasons as JSON. Earlier releases recorded none of it."""

AUDIT_LOG = """
create schema if not exists lineage;
create table lineage.audit_leaves (
    leaf_index bigint not null, kind varchar not null, entry_key varchar not null, leaf varchar not null
);
create table lineage.audit_heads (
    size bigint not null, root varchar not null, peaks varchar not null, last_event bigint not null, appended_at timestamp not null,
    run_id varchar not null
);
create table lineage.salts (person varchar not null, salt varchar not null);
create table lineage.erased_answers (log_file varchar not null, line bigint not null, erased_at timestamp not null);
"""
"""The leaves and heads of the audit log, whose segments are files elsewhere. `salts`: the secret of each person by which what is logged of
this person is hashed; it is destroyed at an erasure."""

MIGRATIONS: tuple[str, ...] = (
    RAW_SALES,
    DRIFT_AND_PERFORMANCE,
    PREDICTION_LOG,
    STEPS_AND_FORMATS,
    SEGMENTS,
    AFFINITY,
    REGIONAL,
    SIGN_OFFS,
    CAMPAIGNS,
    RESPONSIBLE_AI,
    DBT_BUILDS,
    MISPLACED_BY_CODE,
    TRAININGS,
    KEPT_FILES,
    UNIT_DECLARATIONS,
    SALES_AS_TILLS_WRITE_THEM,
    WEATHER,
    KNOWN_ETAGS,
    EXCHANGE_RATES,
    PARTS_OF_LOADS,
    LEDGER_EVENTS,
    KEPT_VERSIONS,
    CONTENT_OF_WINDOWS,
    AMOUNTS_NOT_KNOWN,
    ACCEPTED_CHANGES,
    ACCEPTED_GAPS,
    LARGE_CATALOGUES,
    GOODS_BY_WEIGHT,
    STATES_AND_DECISIONS,
    AUDIT_LOG,
)


def statements(migration: str) -> list[str]:
    """The single statements of a migration."""
    return [statement.strip() for statement in migration.split(";") if statement.strip()]
