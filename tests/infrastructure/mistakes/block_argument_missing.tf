# expected: azurerm_storage_account.this.network_rules: required argument 'default_action'
resource "azurerm_storage_account" "this" {
  name                            = "globolatte"
  resource_group_name             = "globolatte"
  location                        = "westeurope"
  account_tier                    = "Standard"
  account_replication_type        = "ZRS"
  public_network_access_enabled   = false
  allow_nested_items_to_be_public = false
  shared_access_key_enabled       = false
  min_tls_version                 = "TLS1_2"
  network_rules {
    bypass = ["AzureServices"]
  }
}
