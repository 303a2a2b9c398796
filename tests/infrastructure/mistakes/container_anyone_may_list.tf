# expected: azurerm_storage_container.this: container_access_type
resource "azurerm_storage_container" "this" {
  name                  = "landing"
  storage_account_id    = "/s"
  container_access_type = "container"
}
