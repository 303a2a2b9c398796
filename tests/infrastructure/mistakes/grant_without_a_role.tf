# expected: snowflake_grant_privileges_to_account_role.this: required argument 'account_role_name'
resource "snowflake_grant_privileges_to_account_role" "this" {
  privileges = ["USAGE"]
  on_account_object {
    object_type = "DATABASE"
    object_name = "GLOBO_LATTE_DB"
  }
}
