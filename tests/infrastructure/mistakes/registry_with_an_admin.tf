# expected: azurerm_container_registry.this: admin_enabled
resource "azurerm_container_registry" "this" {
  name                          = "globolatte"
  location                      = "westeurope"
  resource_group_name           = "globolatte"
  sku                           = "Premium"
  admin_enabled                 = true
  public_network_access_enabled = false
}
