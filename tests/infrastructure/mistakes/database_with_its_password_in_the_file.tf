# expected: azurerm_postgresql_flexible_server.this: administrator_password
resource "azurerm_postgresql_flexible_server" "this" {
  name                          = "globolatte"
  location                      = "westeurope"
  resource_group_name           = "globolatte"
  public_network_access_enabled = false
  administrator_login           = "dagster"
  administrator_password        = "correct horse battery"
}
