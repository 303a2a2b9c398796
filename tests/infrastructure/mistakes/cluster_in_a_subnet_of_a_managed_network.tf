# expected: azurerm_machine_learning_compute_cluster.this: subnet_resource_id
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
    isolation_mode = "AllowOnlyApprovedOutbound"
  }
}

resource "azurerm_machine_learning_compute_cluster" "this" {
  name                          = "cpu"
  location                      = "westeurope"
  machine_learning_workspace_id = azurerm_machine_learning_workspace.this.id
  vm_priority                   = "Dedicated"
  vm_size                       = "STANDARD_DS3_V2"
  subnet_resource_id            = "/subnets/ml"
  node_public_ip_enabled        = false
  local_auth_enabled            = false
  scale_settings {
    min_node_count                       = 0
    max_node_count                       = 4
    scale_down_nodes_after_idle_duration = "PT5M"
  }
}
