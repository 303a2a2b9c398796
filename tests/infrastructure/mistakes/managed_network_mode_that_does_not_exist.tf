# expected: azurerm_machine_learning_workspace.this.managed_network: isolation_mode 'AllowOnlyApproved'
resource "azurerm_machine_learning_workspace" "this" {
  name                          = "globolatte"
  location                      = "westeurope"
  resource_group_name           = "globolatte"
  application_insights_id       = "/a"
  key_vault_id                  = "/k"
  storage_account_id            = "/s"
  public_network_access_enabled = false
  identity {
    type = "SystemAssigned"
  }
  managed_network {
    isolation_mode = "AllowOnlyApproved"
  }
}
