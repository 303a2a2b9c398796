-- The virtual warehouse, and the monitor that stops it before it costs too much. May be run again at any time.
use role accountadmin;

create resource monitor if not exists globo_latte
    with credit_quota = 100
    frequency = monthly
    start_timestamp = immediately
    triggers
        on 75 percent do notify
        on 95 percent do suspend
        on 100 percent do suspend_immediate;

use role sysadmin;

create warehouse if not exists globo_latte_wh
    warehouse_size = 'xsmall'
    auto_suspend = 60
    auto_resume = true
    initially_suspended = true
    statement_timeout_in_seconds = 3600
    comment = 'GloboLatte';

use role accountadmin;
alter warehouse globo_latte_wh set resource_monitor = globo_latte;

use role sysadmin;
grant usage, operate on warehouse globo_latte_wh to role globo_latte_app;
grant usage on warehouse globo_latte_wh to role globo_latte_reader;
