# AKS: where Dagster runs, and, where settings say so, endpoints and jobs of Azure ML.

variable "name" { type = string }
variable "location" { type = string }
variable "resource_group_name" { type = string }
variable "subnet_id" { type = string }
variable "node_size" { type = string }
variable "nodes_min" { type = number }
variable "nodes_max" { type = number }
variable "log_analytics_id" { type = string }
variable "container_registry_id" { type = string }
variable "tenant_id" { type = string }
variable "administrators" { type = list(string) }
variable "namespace" { type = string }
variable "service_account" { type = string }
variable "app_identity_id" { type = string }
variable "tags" { type = map(string) }

resource "azurerm_kubernetes_cluster" "this" {
  name                      = var.name
  location                  = var.location
  resource_group_name       = var.resource_group_name
  dns_prefix                = var.name
  sku_tier                  = "Standard"
  private_cluster_enabled   = true
  local_account_disabled    = true
  oidc_issuer_enabled       = true
  workload_identity_enabled = true
  azure_policy_enabled      = true
  automatic_upgrade_channel = "patch"
  node_os_upgrade_channel   = "NodeImage"
  tags                      = var.tags

  default_node_pool {
    name                        = "system"
    vm_size                     = var.node_size
    vnet_subnet_id              = var.subnet_id
    auto_scaling_enabled        = true
    min_count                   = var.nodes_min
    max_count                   = var.nodes_max
    temporary_name_for_rotation = "rotating"
  }

  identity {
    type = "SystemAssigned"
  }

  azure_active_directory_role_based_access_control {
    tenant_id              = var.tenant_id
    azure_rbac_enabled     = true
    admin_group_object_ids = var.administrators
  }

  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    network_data_plane  = "cilium"
    network_policy      = "cilium"
  }

  key_vault_secrets_provider {
    secret_rotation_enabled  = true
    secret_rotation_interval = "2m"
  }

  oms_agent {
    log_analytics_workspace_id      = var.log_analytics_id
    msi_auth_for_monitoring_enabled = true
  }
}

# Pods become the app's identity by the token of their service account.
resource "azurerm_federated_identity_credential" "app" {
  name                = "kubernetes"
  resource_group_name = var.resource_group_name
  parent_id           = var.app_identity_id
  issuer              = azurerm_kubernetes_cluster.this.oidc_issuer_url
  audience            = ["api://AzureADTokenExchange"]
  subject             = "system:serviceaccount:${var.namespace}:${var.service_account}"
}

resource "azurerm_role_assignment" "pulls" {
  scope                = var.container_registry_id
  role_definition_name = "AcrPull"
  principal_id         = azurerm_kubernetes_cluster.this.kubelet_identity[0].object_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_kubernetes_cluster_extension" "machine_learning" {
  name              = "azureml"
  cluster_id        = azurerm_kubernetes_cluster.this.id
  extension_type    = "Microsoft.AzureML.Kubernetes"
  release_train     = "stable"
  release_namespace = "azureml"

  configuration_settings = {
    enableTraining               = "True"
    enableInference              = "True"
    inferenceRouterServiceType   = "ClusterIP"
    internalLoadBalancerProvider = "azure"
    allowInsecureConnections     = "False"
  }
}

output "cluster_id" { value = azurerm_kubernetes_cluster.this.id }
output "cluster_name" { value = azurerm_kubernetes_cluster.this.name }
