-- Roles and the user that GloboLatte is. May be run again at any time. Run it first; see docs/snowflake.md.
use role useradmin;

create role if not exists globo_latte_app comment = 'GloboLatte itself: loads, builds, writes';
create role if not exists globo_latte_reader comment = 'People and tools that read marts, features and what is served';

-- A service user has no password and no browser: it enters by a key pair or OAuth. Its public key:
-- alter user globo_latte set rsa_public_key = '<the key without header, footer and line ends>';
create user if not exists globo_latte
    type = service
    default_role = globo_latte_app
    default_warehouse = globo_latte_wh
    default_namespace = globo_latte_db
    comment = 'GloboLatte';

grant role globo_latte_app to user globo_latte;

use role securityadmin;
grant role globo_latte_app to role sysadmin;
grant role globo_latte_reader to role globo_latte_app;
