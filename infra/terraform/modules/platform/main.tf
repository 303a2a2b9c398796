# One environment of GloboLatte, whole. The roots in environments/ differ in what they pass to it, and in nothing else.

terraform {
  required_providers {
    azurerm = {
      source = "hashicorp/azurerm"
    }
    azapi = {
      source = "azure/azapi"
    }
    snowflake = {
      source = "snowflakedb/snowflake"
    }
  }
}

data "azurerm_client_config" "current" {}

locals {
  name  = "globolatte-${var.environment}"
  short = "globolatte${var.environment}"
  tags = {
    product     = "globolatte"
    environment = var.environment
    managed_by  = "terraform"
  }
}

resource "azurerm_resource_group" "this" {
  name     = local.name
  location = var.location
  tags     = local.tags
}

# What GloboLatte itself is in Azure.
resource "azurerm_user_assigned_identity" "app" {
  name                = "${local.name}-app"
  location            = var.location
  resource_group_name = azurerm_resource_group.this.name
  tags                = local.tags
}

module "network" {
  source              = "../network"
  name                = local.name
  location            = var.location
  resource_group_name = azurerm_resource_group.this.name
  address_space       = var.address_space
  tags                = local.tags
}

module "observability" {
  source              = "../observability"
  name                = local.name
  location            = var.location
  resource_group_name = azurerm_resource_group.this.name
  resource_group_id   = azurerm_resource_group.this.id
  log_days            = var.log_days
  email               = var.operations_email
  monthly_budget      = var.monthly_budget
  budget_start        = var.budget_start
  tags                = local.tags
}

module "storage" {
  source              = "../storage"
  name                = local.name
  location            = var.location
  resource_group_name = azurerm_resource_group.this.name
  account_name        = "${local.short}${var.suffix}"
  endpoint_subnet_id  = module.network.endpoint_subnet_id
  zone_ids            = module.network.zone_ids
  container           = "landing"
  queue               = "landing-events"
  deleted_days        = var.deleted_days
  cool_after_days     = 90
  audit_days          = var.audit_days
  audit_locked        = var.audit_locked
  tags                = local.tags
}

module "machine_learning" {
  source                  = "../machine_learning"
  name                    = local.name
  location                = var.location
  resource_group_name     = azurerm_resource_group.this.name
  resource_group_id       = azurerm_resource_group.this.id
  tenant_id               = data.azurerm_client_config.current.tenant_id
  workspace_name          = local.name
  registry_name           = "${local.name}-models"
  account_name            = "gl${var.environment}ml${var.suffix}"
  vault_name              = "gl-${var.environment}-${var.suffix}"
  container_registry_name = "${local.short}${var.suffix}"
  application_insights_id = module.observability.application_insights_id
  endpoint_subnet_id      = module.network.endpoint_subnet_id
  zone_ids                = module.network.zone_ids
  cluster_name            = "globolatte-cpu"
  cluster_size            = "STANDARD_DS3_V2"
  cluster_nodes_max       = var.cluster_nodes_max
  cluster_priority        = var.cluster_priority
  endpoint_name           = "${local.name}-${var.suffix}"
  batch_endpoint_name     = "${local.name}-b-${var.suffix}"
  tags                    = local.tags
}

module "postgres" {
  source              = "../postgres"
  name                = "${local.name}-${var.suffix}"
  location            = var.location
  resource_group_name = azurerm_resource_group.this.name
  subnet_id           = module.network.postgres_subnet_id
  zone_id             = module.network.zone_ids["postgres"]
  sku_name            = var.postgres_sku
  backup_days         = var.postgres_backup_days
  highly_available    = var.highly_available
  password            = var.postgres_password
  password_version    = var.postgres_password_version
  log_analytics_id    = module.observability.log_analytics_id
  action_group_id     = module.observability.action_group_id
  tags                = local.tags
}

module "kubernetes" {
  source                = "../kubernetes"
  name                  = local.name
  location              = var.location
  resource_group_name   = azurerm_resource_group.this.name
  subnet_id             = module.network.kubernetes_subnet_id
  node_size             = var.node_size
  nodes_min             = var.nodes_min
  nodes_max             = var.nodes_max
  log_analytics_id      = module.observability.log_analytics_id
  container_registry_id = module.machine_learning.container_registry_id
  tenant_id             = data.azurerm_client_config.current.tenant_id
  administrators        = [var.groups.devops_engineers]
  namespace             = "globolatte"
  service_account       = "globolatte"
  app_identity_id       = azurerm_user_assigned_identity.app.id
  tags                  = local.tags
}

module "snowflake" {
  source         = "../snowflake"
  database       = "GLOBO_LATTE_DB"
  warehouse      = "GLOBO_LATTE_WH"
  warehouse_size = var.warehouse_size
  credit_quota   = var.credit_quota
  user           = "GLOBO_LATTE"
  rsa_public_key = var.snowflake_public_key
  tenant_id      = data.azurerm_client_config.current.tenant_id
  snapshots_url  = "azure://${module.machine_learning.account_name}.blob.core.windows.net/${var.snapshots_container}/snapshots/"
}

module "access" {
  source                  = "../access"
  name                    = local.name
  resource_group_id       = azurerm_resource_group.this.id
  app_principal_id        = azurerm_user_assigned_identity.app.principal_id
  jobs_principal_id       = module.machine_learning.jobs_principal_id
  endpoint_principal_id   = module.machine_learning.endpoint_principal_id
  workspace_id            = module.machine_learning.workspace_id
  registry_id             = module.machine_learning.registry_id
  vault_id                = module.machine_learning.vault_id
  ml_account_id           = module.machine_learning.account_id
  landing_container_id    = module.storage.landing_container_id
  audit_container_id      = module.storage.audit_container_id
  queue_id                = module.storage.queue_id
  poison_queue_id         = module.storage.poison_queue_id
  cluster_id              = module.kubernetes.cluster_id
  container_registry_id   = module.machine_learning.container_registry_id
  log_analytics_id        = module.observability.log_analytics_id
  application_insights_id = module.observability.application_insights_id
  groups                  = var.groups
}
