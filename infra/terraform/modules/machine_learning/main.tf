# Azure Machine Learning: workspace, what it stands on, registry, cluster, and the identities of what runs there.

variable "name" { type = string }
variable "location" { type = string }
variable "resource_group_name" { type = string }
variable "resource_group_id" { type = string }
variable "tenant_id" { type = string }
variable "workspace_name" { type = string }
variable "registry_name" { type = string }
variable "account_name" { type = string }
variable "vault_name" { type = string }
variable "container_registry_name" { type = string }
variable "application_insights_id" { type = string }
variable "endpoint_subnet_id" { type = string }
variable "zone_ids" { type = map(string) }
variable "cluster_name" { type = string }
variable "cluster_size" { type = string }
variable "cluster_nodes_max" { type = number }
variable "cluster_priority" { type = string }
variable "endpoint_name" { type = string }
variable "batch_endpoint_name" { type = string }
variable "tags" { type = map(string) }

# Explicit, so that nobody guesses: computes are in the workspace's managed network, and reach what is approved and no more.
variable "isolation_mode" {
  type    = string
  default = "AllowOnlyApprovedOutbound"
}

resource "azurerm_storage_account" "this" {
  name                             = var.account_name
  location                         = var.location
  resource_group_name              = var.resource_group_name
  account_kind                     = "StorageV2"
  account_tier                     = "Standard"
  account_replication_type         = "ZRS"
  min_tls_version                  = "TLS1_2"
  public_network_access_enabled    = false
  allow_nested_items_to_be_public  = false
  shared_access_key_enabled        = false
  default_to_oauth_authentication  = true
  cross_tenant_replication_enabled = false
  tags                             = var.tags

  network_rules {
    default_action = "Deny"
    bypass         = ["AzureServices"]
  }
}

resource "azurerm_key_vault" "this" {
  name                          = var.vault_name
  location                      = var.location
  resource_group_name           = var.resource_group_name
  tenant_id                     = var.tenant_id
  sku_name                      = "standard"
  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  soft_delete_retention_days    = 90
  public_network_access_enabled = false
  tags                          = var.tags

  network_acls {
    default_action = "Deny"
    bypass         = "AzureServices"
  }
}

resource "azurerm_container_registry" "this" {
  name                          = var.container_registry_name
  location                      = var.location
  resource_group_name           = var.resource_group_name
  sku                           = "Premium"
  admin_enabled                 = false
  public_network_access_enabled = false
  retention_policy_in_days      = 30
  tags                          = var.tags
}

resource "azurerm_machine_learning_workspace" "this" {
  name                          = var.workspace_name
  location                      = var.location
  resource_group_name           = var.resource_group_name
  application_insights_id       = var.application_insights_id
  key_vault_id                  = azurerm_key_vault.this.id
  storage_account_id            = azurerm_storage_account.this.id
  container_registry_id         = azurerm_container_registry.this.id
  public_network_access_enabled = false
  image_build_compute_name      = var.cluster_name
  tags                          = var.tags

  identity {
    type = "SystemAssigned"
  }

  managed_network {
    isolation_mode                = var.isolation_mode
    provision_on_creation_enabled = true
  }
}

# The workspace's own datastores by identity, not by the account's key, which is switched off. azurerm has no argument for it.
resource "azapi_update_resource" "datastores_by_identity" {
  type        = "Microsoft.MachineLearningServices/workspaces@2024-10-01"
  resource_id = azurerm_machine_learning_workspace.this.id

  body = {
    properties = {
      systemDatastoresAuthMode = "identity"
    }
  }
}

resource "azurerm_machine_learning_workspace_network_outbound_rule_fqdn" "snowflake" {
  name             = "snowflake"
  workspace_id     = azurerm_machine_learning_workspace.this.id
  destination_fqdn = "*.snowflakecomputing.com"
}

# What is promoted from dev to staging to prod goes by way of a registry (globolatte azureml share, adopt).
resource "azapi_resource" "registry" {
  type      = "Microsoft.MachineLearningServices/registries@2023-04-01"
  name      = var.registry_name
  parent_id = var.resource_group_id
  location  = var.location
  tags      = var.tags

  identity {
    type = "SystemAssigned"
  }

  body = {
    properties = {
      publicNetworkAccess = "Disabled"
      regionDetails = [
        {
          location = var.location
          acrDetails = [
            {
              systemCreatedAcrAccount = {
                acrAccountSku = "Premium"
              }
            }
          ]
          storageAccountDetails = [
            {
              systemCreatedStorageAccount = {
                allowBlobPublicAccess    = false
                storageAccountHnsEnabled = false
                storageAccountType       = "Standard_ZRS"
              }
            }
          ]
        }
      ]
    }
  }
}

resource "azurerm_user_assigned_identity" "jobs" {
  name                = "${var.name}-jobs"
  location            = var.location
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_user_assigned_identity" "endpoint" {
  name                = "${var.name}-endpoint"
  location            = var.location
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_machine_learning_compute_cluster" "this" {
  name                          = var.cluster_name
  location                      = var.location
  machine_learning_workspace_id = azurerm_machine_learning_workspace.this.id
  vm_size                       = var.cluster_size
  vm_priority                   = var.cluster_priority
  local_auth_enabled            = false
  node_public_ip_enabled        = false
  tags                          = var.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.jobs.id]
  }

  scale_settings {
    min_node_count                       = 0
    max_node_count                       = var.cluster_nodes_max
    scale_down_nodes_after_idle_duration = "PT5M"
  }
}

# The endpoints exist from the start, so that their identities can be given roles before anything is deployed. What runs behind them
# is GloboLatte's: it writes the desired state into their tags.
resource "azapi_resource" "online_endpoint" {
  type      = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints@2023-04-01"
  name      = var.endpoint_name
  parent_id = azurerm_machine_learning_workspace.this.id
  location  = var.location

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.endpoint.id]
  }

  body = {
    properties = {
      authMode            = "Key"
      publicNetworkAccess = "Disabled"
    }
  }

  lifecycle {
    ignore_changes = [body, tags]
  }
}

# Its batches run on the cluster, as the cluster's identity.
resource "azapi_resource" "batch_endpoint" {
  type      = "Microsoft.MachineLearningServices/workspaces/batchEndpoints@2023-04-01"
  name      = var.batch_endpoint_name
  parent_id = azurerm_machine_learning_workspace.this.id
  location  = var.location

  identity {
    type = "SystemAssigned"
  }

  body = {
    properties = {
      authMode = "AADToken"
    }
  }

  lifecycle {
    ignore_changes = [body, tags]
  }
}

locals {
  private = {
    blob     = { id = azurerm_storage_account.this.id, part = "blob", zones = ["blob"] }
    file     = { id = azurerm_storage_account.this.id, part = "file", zones = ["file"] }
    vault    = { id = azurerm_key_vault.this.id, part = "vault", zones = ["vault"] }
    registry = { id = azurerm_container_registry.this.id, part = "registry", zones = ["registry"] }
    ml       = { id = azurerm_machine_learning_workspace.this.id, part = "amlworkspace", zones = ["ml_api", "ml_files"] }
    models   = { id = azapi_resource.registry.id, part = "amlregistry", zones = ["ml_api"] }
  }
}

resource "azurerm_private_endpoint" "this" {
  for_each            = local.private
  name                = "${var.name}-ml-${each.key}"
  location            = var.location
  resource_group_name = var.resource_group_name
  subnet_id           = var.endpoint_subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "${var.name}-ml-${each.key}"
    private_connection_resource_id = each.value.id
    subresource_names              = [each.value.part]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = each.key
    private_dns_zone_ids = [for zone in each.value.zones : var.zone_ids[zone]]
  }
}

output "workspace_id" { value = azurerm_machine_learning_workspace.this.id }
output "workspace_name" { value = azurerm_machine_learning_workspace.this.name }
output "registry_id" { value = azapi_resource.registry.id }
output "registry_name" { value = azapi_resource.registry.name }
output "account_id" { value = azurerm_storage_account.this.id }
output "account_name" { value = azurerm_storage_account.this.name }
output "vault_id" { value = azurerm_key_vault.this.id }
output "container_registry_id" { value = azurerm_container_registry.this.id }
output "jobs_principal_id" { value = azurerm_user_assigned_identity.jobs.principal_id }
output "endpoint_principal_id" { value = azurerm_user_assigned_identity.endpoint.principal_id }
