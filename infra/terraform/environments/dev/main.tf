# The environment `dev`. The state lies in a storage account that is made by hand once (docs/production.md); its name is given by
# `terraform init -backend-config="storage_account_name=…"`.

terraform {
  required_version = ">= 1.11"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.55"
    }
    azapi = {
      source  = "azure/azapi"
      version = "~> 2.4"
    }
    snowflake = {
      source  = "snowflakedb/snowflake"
      version = "~> 2.11"
    }
  }

  backend "azurerm" {
    resource_group_name = "globolatte-state"
    container_name      = "state"
    key                 = "dev.tfstate"
    use_azuread_auth    = true
    use_oidc            = true
  }
}

provider "azurerm" {
  subscription_id                 = var.subscription_id
  storage_use_azuread             = true
  resource_provider_registrations = "core"
  resource_providers_to_register = [
    "Microsoft.ContainerService",
    "Microsoft.DBforPostgreSQL",
    "Microsoft.EventGrid",
    "Microsoft.KubernetesConfiguration",
    "Microsoft.MachineLearningServices",
  ]

  features {
    key_vault {
      purge_soft_delete_on_destroy = false
    }
  }
}

provider "azapi" {
  subscription_id = var.subscription_id
}

# Who applies this: SNOWFLAKE_USER, SNOWFLAKE_PRIVATE_KEY and so on in the environment of the pipeline.
provider "snowflake" {
  organization_name        = var.snowflake_organization
  account_name             = var.snowflake_account
  authenticator            = "SNOWFLAKE_JWT"
  role                     = "ACCOUNTADMIN"
  preview_features_enabled = ["snowflake_stage_resource", "snowflake_file_format_resource", "snowflake_storage_integration_resource"]
}

module "platform" {
  source                    = "../../modules/platform"
  environment               = "dev"
  suffix                    = var.suffix
  location                  = var.location
  address_space             = "10.10.0.0/16"
  operations_email          = var.operations_email
  monthly_budget            = 600
  budget_start              = var.budget_start
  log_days                  = 30
  deleted_days              = 7
  audit_days                = 7
  audit_locked              = false
  cluster_nodes_max         = 2
  cluster_priority          = "LowPriority"
  postgres_sku              = "B_Standard_B2s"
  postgres_backup_days      = 7
  highly_available          = false
  node_size                 = "Standard_D4s_v5"
  nodes_min                 = 2
  nodes_max                 = 4
  warehouse_size            = "XSMALL"
  credit_quota              = 30
  snowflake_public_key      = var.snowflake_public_key
  snapshots_container       = var.snapshots_container
  postgres_password         = var.postgres_password
  postgres_password_version = var.postgres_password_version
  groups                    = var.groups
}

output "settings" { value = module.platform.settings }
output "app_client_id" { value = module.platform.app_client_id }
output "postgres_host" { value = module.platform.postgres_host }
output "cluster_name" { value = module.platform.cluster_name }
