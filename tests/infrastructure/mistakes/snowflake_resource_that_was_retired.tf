# expected: snowflake_role.this: deprecated
resource "snowflake_role" "this" {
  name = "GLOBO_LATTE_APP"
}
