# expected: azurerm_storage_container.this: nothing is declared as azurerm_storage_account.landing
resource "azurerm_storage_container" "this" {
  name               = "landing"
  storage_account_id = azurerm_storage_account.landing.id
}
