-- Where Snowflake writes training snapshots by itself: the container behind the default datastore of the Azure ML workspace
-- (`az ml datastore show --name workspaceblobstore`), whose jobs read them there. May be run again at any time.
-- Put tenant, account and container in the place of <tenant>, <account> and <container>; then give the application that
-- `desc storage integration globo_latte_snapshots` names (AZURE_CONSENT_URL, AZURE_MULTI_TENANT_APP_NAME) the role
-- Storage Blob Data Contributor on the container.
use role accountadmin;

create storage integration if not exists globo_latte_snapshots
    type = external_stage
    storage_provider = 'AZURE'
    enabled = true
    azure_tenant_id = '<tenant>'
    storage_allowed_locations = ('azure://<account>.blob.core.windows.net/<container>/snapshots/');
grant usage on integration globo_latte_snapshots to role globo_latte_app;

use role globo_latte_app;

create stage if not exists globo_latte_db.ml.snapshots
    url = 'azure://<account>.blob.core.windows.net/<container>/snapshots/'
    storage_integration = globo_latte_snapshots;
