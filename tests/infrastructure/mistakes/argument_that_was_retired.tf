# expected: azurerm_storage_container.this: 'storage_account_name' is deprecated
resource "azurerm_storage_container" "this" {
  name                 = "landing"
  storage_account_name = "globolatte"
}
