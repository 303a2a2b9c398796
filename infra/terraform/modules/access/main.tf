# Who may do what. GloboLatte's own identity has a role of its own, action by action; people have theirs by groups of Microsoft Entra.
# No Owner, no Contributor of anything but blobs, no `*`.

variable "name" { type = string }
variable "resource_group_id" { type = string }
variable "app_principal_id" { type = string }
variable "jobs_principal_id" { type = string }
variable "endpoint_principal_id" { type = string }
variable "workspace_id" { type = string }
variable "registry_id" { type = string }
variable "vault_id" { type = string }
variable "ml_account_id" { type = string }
variable "landing_container_id" { type = string }
variable "audit_container_id" { type = string }
variable "queue_id" { type = string }
variable "poison_queue_id" { type = string }
variable "cluster_id" { type = string }
variable "container_registry_id" { type = string }
variable "log_analytics_id" { type = string }
variable "application_insights_id" { type = string }

# Ids of groups of Microsoft Entra, by what their members do.
variable "groups" {
  type = object({
    data_engineers   = string
    data_scientists  = string
    ml_engineers     = string
    devops_engineers = string
    analysts         = string
    auditors         = string
  })
}

resource "azurerm_role_definition" "app" {
  name        = "${var.name} GloboLatte"
  scope       = var.resource_group_id
  description = "What GloboLatte calls in its Azure ML workspace, and no more"

  permissions {
    actions = [
      "Microsoft.MachineLearningServices/workspaces/read",
      "Microsoft.MachineLearningServices/workspaces/datastores/read",
      "Microsoft.MachineLearningServices/workspaces/computes/read",
      "Microsoft.MachineLearningServices/workspaces/codes/versions/read",
      "Microsoft.MachineLearningServices/workspaces/codes/versions/write",
      "Microsoft.MachineLearningServices/workspaces/components/versions/read",
      "Microsoft.MachineLearningServices/workspaces/components/versions/write",
      "Microsoft.MachineLearningServices/workspaces/data/read",
      "Microsoft.MachineLearningServices/workspaces/data/versions/read",
      "Microsoft.MachineLearningServices/workspaces/data/versions/write",
      "Microsoft.MachineLearningServices/workspaces/environments/versions/read",
      "Microsoft.MachineLearningServices/workspaces/environments/versions/write",
      "Microsoft.MachineLearningServices/workspaces/experiments/runs/read",
      "Microsoft.MachineLearningServices/workspaces/jobs/read",
      "Microsoft.MachineLearningServices/workspaces/jobs/write",
      "Microsoft.MachineLearningServices/workspaces/jobs/cancel/action",
      "Microsoft.MachineLearningServices/workspaces/models/read",
      "Microsoft.MachineLearningServices/workspaces/models/versions/read",
      "Microsoft.MachineLearningServices/workspaces/models/versions/write",
      "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/read",
      "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write",
      "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/listKeys/action",
      "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/read",
      "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/write",
      "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/delete",
      "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/getLogs/action",
      "Microsoft.MachineLearningServices/workspaces/batchEndpoints/read",
      "Microsoft.MachineLearningServices/workspaces/batchEndpoints/write",
      "Microsoft.MachineLearningServices/workspaces/batchEndpoints/deployments/read",
      "Microsoft.MachineLearningServices/workspaces/batchEndpoints/deployments/write",
      "Microsoft.MachineLearningServices/workspaces/batchEndpoints/deployments/delete",
      "Microsoft.MachineLearningServices/workspaces/batchEndpoints/jobs/write",
      "Microsoft.MachineLearningServices/registries/read",
      "Microsoft.MachineLearningServices/registries/assets/read",
      "Microsoft.MachineLearningServices/registries/assets/write",
    ]
  }
}

# Data scientists look at everything of the workspace and run jobs; what serves is not theirs.
resource "azurerm_role_definition" "data_scientist" {
  name        = "${var.name} Data Scientist"
  scope       = var.resource_group_id
  description = "Runs jobs and registers models in the workspace; changes no endpoint"

  permissions {
    actions = [
      "Microsoft.MachineLearningServices/workspaces/*/read",
      "Microsoft.MachineLearningServices/workspaces/read",
      "Microsoft.MachineLearningServices/workspaces/codes/versions/write",
      "Microsoft.MachineLearningServices/workspaces/data/versions/write",
      "Microsoft.MachineLearningServices/workspaces/environments/versions/write",
      "Microsoft.MachineLearningServices/workspaces/jobs/write",
      "Microsoft.MachineLearningServices/workspaces/jobs/cancel/action",
      "Microsoft.MachineLearningServices/workspaces/models/versions/write",
    ]
  }
}

resource "azurerm_role_definition" "ml_engineer" {
  name        = "${var.name} ML Engineer"
  scope       = var.resource_group_id
  description = "What a data scientist may, and deployments behind the endpoints"

  permissions {
    actions = [
      "Microsoft.MachineLearningServices/workspaces/*/read",
      "Microsoft.MachineLearningServices/workspaces/read",
      "Microsoft.MachineLearningServices/workspaces/codes/versions/write",
      "Microsoft.MachineLearningServices/workspaces/data/versions/write",
      "Microsoft.MachineLearningServices/workspaces/environments/versions/write",
      "Microsoft.MachineLearningServices/workspaces/jobs/write",
      "Microsoft.MachineLearningServices/workspaces/jobs/cancel/action",
      "Microsoft.MachineLearningServices/workspaces/models/versions/write",
      "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write",
      "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/write",
      "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/delete",
      "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/getLogs/action",
      "Microsoft.MachineLearningServices/workspaces/batchEndpoints/write",
      "Microsoft.MachineLearningServices/workspaces/batchEndpoints/deployments/write",
      "Microsoft.MachineLearningServices/registries/read",
      "Microsoft.MachineLearningServices/registries/assets/read",
      "Microsoft.MachineLearningServices/registries/assets/write",
    ]
  }
}

locals {
  services = {
    app_machine_learning = { scope = var.workspace_id, role = azurerm_role_definition.app.role_definition_resource_id, principal = var.app_principal_id }
    app_model_registry   = { scope = var.registry_id, role = azurerm_role_definition.app.role_definition_resource_id, principal = var.app_principal_id }
  }
  service_roles = {
    app_reads_landing      = { scope = var.landing_container_id, role = "Storage Blob Data Reader", principal = var.app_principal_id }
    app_receives_events    = { scope = var.queue_id, role = "Storage Queue Data Message Processor", principal = var.app_principal_id }
    app_looks_at_events    = { scope = var.queue_id, role = "Storage Queue Data Reader", principal = var.app_principal_id }
    app_sends_poison       = { scope = var.poison_queue_id, role = "Storage Queue Data Message Sender", principal = var.app_principal_id }
    app_looks_at_poison    = { scope = var.poison_queue_id, role = "Storage Queue Data Reader", principal = var.app_principal_id }
    app_writes_snapshots   = { scope = var.ml_account_id, role = "Storage Blob Data Contributor", principal = var.app_principal_id }
    app_reads_secrets      = { scope = var.vault_id, role = "Key Vault Secrets User", principal = var.app_principal_id }
    jobs_read_and_write    = { scope = var.ml_account_id, role = "Storage Blob Data Contributor", principal = var.jobs_principal_id }
    jobs_push_images       = { scope = var.container_registry_id, role = "AcrPush", principal = var.jobs_principal_id }
    endpoint_keeps_its_log = { scope = var.ml_account_id, role = "Storage Blob Data Contributor", principal = var.endpoint_principal_id }
    endpoint_pulls_images  = { scope = var.container_registry_id, role = "AcrPull", principal = var.endpoint_principal_id }
  }
  people = {
    engineers_mend_landing      = { scope = var.landing_container_id, role = "Storage Blob Data Contributor", group = var.groups.data_engineers }
    engineers_see_events        = { scope = var.queue_id, role = "Storage Queue Data Reader", group = var.groups.data_engineers }
    engineers_see_poison        = { scope = var.poison_queue_id, role = "Storage Queue Data Message Processor", group = var.groups.data_engineers }
    engineers_read_logs         = { scope = var.log_analytics_id, role = "Log Analytics Reader", group = var.groups.data_engineers }
    scientists_read_snapshots   = { scope = var.ml_account_id, role = "Storage Blob Data Reader", group = var.groups.data_scientists }
    ml_engineers_read_snapshots = { scope = var.ml_account_id, role = "Storage Blob Data Reader", group = var.groups.ml_engineers }
    ml_engineers_read_metrics   = { scope = var.application_insights_id, role = "Monitoring Reader", group = var.groups.ml_engineers }
    devops_enter_the_cluster    = { scope = var.cluster_id, role = "Azure Kubernetes Service RBAC Writer", group = var.groups.devops_engineers }
    devops_find_the_cluster     = { scope = var.cluster_id, role = "Azure Kubernetes Service Cluster User Role", group = var.groups.devops_engineers }
    devops_push_images          = { scope = var.container_registry_id, role = "AcrPush", group = var.groups.devops_engineers }
    devops_set_secrets          = { scope = var.vault_id, role = "Key Vault Secrets Officer", group = var.groups.devops_engineers }
    devops_read_logs            = { scope = var.log_analytics_id, role = "Log Analytics Reader", group = var.groups.devops_engineers }
    analysts_see_dashboards     = { scope = var.application_insights_id, role = "Monitoring Reader", group = var.groups.analysts }
    auditors_see_everything     = { scope = var.resource_group_id, role = "Reader", group = var.groups.auditors }
    auditors_read_roots         = { scope = var.audit_container_id, role = "Storage Blob Data Reader", group = var.groups.auditors }
    auditors_read_landing       = { scope = var.landing_container_id, role = "Storage Blob Data Reader", group = var.groups.auditors }
    auditors_read_logs          = { scope = var.log_analytics_id, role = "Log Analytics Reader", group = var.groups.auditors }
  }
}

resource "azurerm_role_assignment" "own_roles" {
  for_each           = local.services
  scope              = each.value.scope
  role_definition_id = each.value.role
  principal_id       = each.value.principal
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "services" {
  for_each             = local.service_roles
  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = each.value.principal
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "people" {
  for_each             = local.people
  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = each.value.group
  principal_type       = "Group"
}

resource "azurerm_role_assignment" "data_scientists" {
  scope              = var.workspace_id
  role_definition_id = azurerm_role_definition.data_scientist.role_definition_resource_id
  principal_id       = var.groups.data_scientists
  principal_type     = "Group"
}

resource "azurerm_role_assignment" "ml_engineers" {
  for_each           = { workspace = var.workspace_id, registry = var.registry_id }
  scope              = each.value
  role_definition_id = azurerm_role_definition.ml_engineer.role_definition_resource_id
  principal_id       = var.groups.ml_engineers
  principal_type     = "Group"
}
