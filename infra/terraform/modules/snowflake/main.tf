# The warehouse: the same roles, database, virtual warehouse, grants and stage as infra/snowflake/*.sql (a test compares them).
# The provider's role must be one that may make roles, warehouses and integrations.

variable "database" { type = string }
variable "warehouse" { type = string }
variable "warehouse_size" { type = string }
variable "credit_quota" { type = number }
variable "user" { type = string }
variable "rsa_public_key" { type = string }
variable "tenant_id" { type = string }
variable "snapshots_url" { type = string }

locals {
  schemas = {
    SALES_DATA   = "Rows as the business units delivered them, and the ledger of loads"
    STAGING      = "dbt: one view per raw table"
    INTERMEDIATE = "dbt: steps between staging and what is used"
    BUILD_STATE  = "dbt: what incremental builds know of each other"
    MARTS        = "dbt: facts, dimensions and answers"
    FEATURES     = "dbt: what models are trained on and served with"
    ML           = "Predictions on holdouts, evaluations, segments"
    SERVING      = "Recommendations and audiences"
    MONITORING   = "Prediction log, drift, performance"
  }
  read = ["MARTS", "FEATURES", "SERVING", "MONITORING"]
  read_objects = {
    marts_tables      = { schema = "MARTS", kind = "TABLES" }
    marts_views       = { schema = "MARTS", kind = "VIEWS" }
    features_tables   = { schema = "FEATURES", kind = "TABLES" }
    features_views    = { schema = "FEATURES", kind = "VIEWS" }
    serving_tables    = { schema = "SERVING", kind = "TABLES" }
    monitoring_tables = { schema = "MONITORING", kind = "TABLES" }
  }
}

resource "snowflake_account_role" "app" {
  name    = "GLOBO_LATTE_APP"
  comment = "GloboLatte itself: loads, builds, writes"
}

resource "snowflake_account_role" "reader" {
  name    = "GLOBO_LATTE_READER"
  comment = "People and tools that read marts, features and what is served"
}

resource "snowflake_service_user" "this" {
  name              = var.user
  default_role      = snowflake_account_role.app.name
  default_warehouse = var.warehouse
  default_namespace = var.database
  rsa_public_key    = var.rsa_public_key
  comment           = "GloboLatte"
}

resource "snowflake_grant_account_role" "user_is_app" {
  role_name = snowflake_account_role.app.name
  user_name = snowflake_service_user.this.name
}

resource "snowflake_grant_account_role" "app_reads" {
  role_name        = snowflake_account_role.reader.name
  parent_role_name = snowflake_account_role.app.name
}

resource "snowflake_grant_account_role" "sysadmin_is_app" {
  role_name        = snowflake_account_role.app.name
  parent_role_name = "SYSADMIN"
}

resource "snowflake_database" "this" {
  name                        = var.database
  data_retention_time_in_days = 7
  comment                     = "GloboLatte"
}

resource "snowflake_grant_ownership" "database" {
  account_role_name   = snowflake_account_role.app.name
  outbound_privileges = "COPY"

  on {
    object_type = "DATABASE"
    object_name = snowflake_database.this.name
  }
}

resource "snowflake_schema" "this" {
  for_each = local.schemas
  database = snowflake_database.this.name
  name     = each.key
  comment  = each.value
}

resource "snowflake_grant_ownership" "schemas" {
  for_each            = local.schemas
  account_role_name   = snowflake_account_role.app.name
  outbound_privileges = "COPY"

  on {
    object_type = "SCHEMA"
    object_name = snowflake_schema.this[each.key].fully_qualified_name
  }
}

resource "snowflake_file_format" "parquet_rows" {
  name        = "PARQUET_ROWS"
  database    = snowflake_database.this.name
  schema      = snowflake_schema.this["SALES_DATA"].name
  format_type = "PARQUET"
  comment     = "How rows come in and snapshots go out"
}

resource "snowflake_stage" "loading" {
  name     = "LOADING"
  database = snowflake_database.this.name
  schema   = snowflake_schema.this["SALES_DATA"].name
}

resource "snowflake_storage_integration" "snapshots" {
  name                      = "GLOBO_LATTE_SNAPSHOTS"
  type                      = "EXTERNAL_STAGE"
  enabled                   = true
  storage_provider          = "AZURE"
  azure_tenant_id           = var.tenant_id
  storage_allowed_locations = [var.snapshots_url]
}

resource "snowflake_stage" "snapshots" {
  name                = "SNAPSHOTS"
  database            = snowflake_database.this.name
  schema              = snowflake_schema.this["ML"].name
  url                 = var.snapshots_url
  storage_integration = snowflake_storage_integration.snapshots.name
}

# What stops a month that became too dear. Its triggers are of the whole quota, in percent.
resource "snowflake_resource_monitor" "this" {
  name                      = "GLOBO_LATTE"
  credit_quota              = var.credit_quota
  frequency                 = "MONTHLY"
  start_timestamp           = "IMMEDIATELY"
  notify_triggers           = [75]
  suspend_trigger           = 95
  suspend_immediate_trigger = 100
}

resource "snowflake_warehouse" "this" {
  name                         = var.warehouse
  warehouse_size               = var.warehouse_size
  auto_suspend                 = 60
  auto_resume                  = true
  initially_suspended          = true
  statement_timeout_in_seconds = 3600
  resource_monitor             = snowflake_resource_monitor.this.name
  comment                      = "GloboLatte"
}

resource "snowflake_grant_privileges_to_account_role" "app_computes" {
  account_role_name = snowflake_account_role.app.name
  privileges        = ["USAGE", "OPERATE"]

  on_account_object {
    object_type = "WAREHOUSE"
    object_name = snowflake_warehouse.this.name
  }
}

resource "snowflake_grant_privileges_to_account_role" "reader_computes" {
  account_role_name = snowflake_account_role.reader.name
  privileges        = ["USAGE"]

  on_account_object {
    object_type = "WAREHOUSE"
    object_name = snowflake_warehouse.this.name
  }
}

resource "snowflake_grant_privileges_to_account_role" "app_unloads" {
  account_role_name = snowflake_account_role.app.name
  privileges        = ["USAGE"]

  on_account_object {
    object_type = "INTEGRATION"
    object_name = snowflake_storage_integration.snapshots.name
  }
}

resource "snowflake_grant_privileges_to_account_role" "reader_database" {
  account_role_name = snowflake_account_role.reader.name
  privileges        = ["USAGE"]

  on_account_object {
    object_type = "DATABASE"
    object_name = snowflake_database.this.name
  }
}

resource "snowflake_grant_privileges_to_account_role" "reader_schemas" {
  for_each          = toset(local.read)
  account_role_name = snowflake_account_role.reader.name
  privileges        = ["USAGE"]

  on_schema {
    schema_name = snowflake_schema.this[each.key].fully_qualified_name
  }
}

resource "snowflake_grant_privileges_to_account_role" "reader_all" {
  for_each          = local.read_objects
  account_role_name = snowflake_account_role.reader.name
  privileges        = ["SELECT"]

  on_schema_object {
    all {
      object_type_plural = each.value.kind
      in_schema          = snowflake_schema.this[each.value.schema].fully_qualified_name
    }
  }
}

resource "snowflake_grant_privileges_to_account_role" "reader_future" {
  for_each          = local.read_objects
  account_role_name = snowflake_account_role.reader.name
  privileges        = ["SELECT"]

  on_schema_object {
    future {
      object_type_plural = each.value.kind
      in_schema          = snowflake_schema.this[each.value.schema].fully_qualified_name
    }
  }
}

output "database" { value = snowflake_database.this.name }
output "warehouse" { value = snowflake_warehouse.this.name }
output "user" { value = snowflake_service_user.this.name }
output "role" { value = snowflake_account_role.app.name }
