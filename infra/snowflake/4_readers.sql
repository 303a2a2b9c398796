-- What readers may see: marts, features, what is served and monitored; no raw rows. May be run again at any time.
use role globo_latte_app;

grant usage on database globo_latte_db to role globo_latte_reader;
grant usage on schema globo_latte_db.marts to role globo_latte_reader;
grant usage on schema globo_latte_db.features to role globo_latte_reader;
grant usage on schema globo_latte_db.serving to role globo_latte_reader;
grant usage on schema globo_latte_db.monitoring to role globo_latte_reader;
grant select on all tables in schema globo_latte_db.marts to role globo_latte_reader;
grant select on all views in schema globo_latte_db.marts to role globo_latte_reader;
grant select on all tables in schema globo_latte_db.features to role globo_latte_reader;
grant select on all views in schema globo_latte_db.features to role globo_latte_reader;
grant select on all tables in schema globo_latte_db.serving to role globo_latte_reader;
grant select on all tables in schema globo_latte_db.monitoring to role globo_latte_reader;

use role securityadmin;
grant select on future tables in schema globo_latte_db.marts to role globo_latte_reader;
grant select on future views in schema globo_latte_db.marts to role globo_latte_reader;
grant select on future tables in schema globo_latte_db.features to role globo_latte_reader;
grant select on future views in schema globo_latte_db.features to role globo_latte_reader;
grant select on future tables in schema globo_latte_db.serving to role globo_latte_reader;
grant select on future tables in schema globo_latte_db.monitoring to role globo_latte_reader;
