# expected: snowflake_warehouse.this: warehouse_size 'HUGE'
resource "snowflake_warehouse" "this" {
  name           = "GLOBO_LATTE_WH"
  warehouse_size = "HUGE"
}
