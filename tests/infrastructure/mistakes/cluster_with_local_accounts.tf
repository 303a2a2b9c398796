# expected: azurerm_kubernetes_cluster.this: local_account_disabled
resource "azurerm_kubernetes_cluster" "this" {
  name                    = "globolatte"
  location                = "westeurope"
  resource_group_name     = "globolatte"
  dns_prefix              = "globolatte"
  private_cluster_enabled = true
  default_node_pool {
    name       = "system"
    vm_size    = "Standard_D4s_v5"
    node_count = 2
  }
  identity {
    type = "SystemAssigned"
  }
}
