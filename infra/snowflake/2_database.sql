-- Database, schemas, file format and the stage that rows come in through. May be run again at any time.
-- GloboLatte makes its own tables (sales_data, ml, serving, monitoring) and dbt its own: the role owns the schemas for that.
use role sysadmin;

create database if not exists globo_latte_db data_retention_time_in_days = 7 comment = 'GloboLatte';
grant ownership on database globo_latte_db to role globo_latte_app copy current grants;

use role globo_latte_app;

create schema if not exists globo_latte_db.sales_data comment = 'Rows as the business units delivered them, and the ledger of loads';
create schema if not exists globo_latte_db.staging comment = 'dbt: one view per raw table';
create schema if not exists globo_latte_db.intermediate comment = 'dbt: steps between staging and what is used';
create schema if not exists globo_latte_db.build_state comment = 'dbt: what incremental builds know of each other';
create schema if not exists globo_latte_db.marts comment = 'dbt: facts, dimensions and answers';
create schema if not exists globo_latte_db.features comment = 'dbt: what models are trained on and served with';
create schema if not exists globo_latte_db.ml comment = 'Predictions on holdouts, evaluations, segments';
create schema if not exists globo_latte_db.serving comment = 'Recommendations and audiences';
create schema if not exists globo_latte_db.monitoring comment = 'Prediction log, drift, performance';

create file format if not exists globo_latte_db.sales_data.parquet_rows
    type = parquet
    comment = 'How rows come in and snapshots go out';
-- Files on their way into a load; each is gone once it is copied.
create stage if not exists globo_latte_db.sales_data.loading;
