# expected: azurerm_key_vault.this: purge_protection_enabled
resource "azurerm_key_vault" "this" {
  name                          = "globolatte"
  location                      = "westeurope"
  resource_group_name           = "globolatte"
  tenant_id                     = "00000000-0000-0000-0000-000000000000"
  sku_name                      = "standard"
  public_network_access_enabled = false
}
