# Logs, whom to tell, what is told, and how much money may go.

variable "name" { type = string }
variable "location" { type = string }
variable "resource_group_name" { type = string }
variable "resource_group_id" { type = string }
variable "log_days" { type = number }
variable "email" { type = string }
variable "monthly_budget" { type = number }
variable "budget_start" { type = string }
variable "tags" { type = map(string) }

resource "azurerm_log_analytics_workspace" "this" {
  name                = var.name
  location            = var.location
  resource_group_name = var.resource_group_name
  sku                 = "PerGB2018"
  retention_in_days   = var.log_days
  daily_quota_gb      = 5
  tags                = var.tags
}

resource "azurerm_application_insights" "this" {
  name                = var.name
  location            = var.location
  resource_group_name = var.resource_group_name
  application_type    = "web"
  workspace_id        = azurerm_log_analytics_workspace.this.id
  tags                = var.tags
}

resource "azurerm_monitor_action_group" "this" {
  name                = var.name
  resource_group_name = var.resource_group_name
  short_name          = "globolatte"
  tags                = var.tags

  email_receiver {
    name          = "operations"
    email_address = var.email
  }
}

resource "azurerm_consumption_budget_resource_group" "this" {
  name              = var.name
  resource_group_id = var.resource_group_id
  amount            = var.monthly_budget
  time_grain        = "Monthly"

  time_period {
    start_date = var.budget_start
  }

  notification {
    operator       = "GreaterThan"
    threshold      = 80
    threshold_type = "Actual"
    contact_groups = [azurerm_monitor_action_group.this.id]
  }

  notification {
    operator       = "GreaterThan"
    threshold      = 100
    threshold_type = "Forecasted"
    contact_groups = [azurerm_monitor_action_group.this.id]
  }
}

# GloboLatte itself says what is wrong with its data (globolatte.alerts); this hears of it where no webhook is set, and when nothing
# of Dagster's daemon has been heard for an hour.
resource "azurerm_monitor_scheduled_query_rules_alert_v2" "alerts" {
  name                 = "${var.name}-alerts"
  location             = var.location
  resource_group_name  = var.resource_group_name
  scopes               = [azurerm_log_analytics_workspace.this.id]
  severity             = 2
  evaluation_frequency = "PT15M"
  window_duration      = "PT15M"
  tags                 = var.tags

  criteria {
    query                   = "ContainerLogV2 | where PodNamespace == 'globolatte' and LogMessage has 'globolatte.alerts'"
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0
  }

  action {
    action_groups = [azurerm_monitor_action_group.this.id]
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "silent_daemon" {
  name                 = "${var.name}-silent-daemon"
  location             = var.location
  resource_group_name  = var.resource_group_name
  scopes               = [azurerm_log_analytics_workspace.this.id]
  severity             = 1
  evaluation_frequency = "PT30M"
  window_duration      = "PT1H"
  tags                 = var.tags

  criteria {
    query                   = "ContainerLogV2 | where PodNamespace == 'globolatte' and ContainerName == 'daemon'"
    time_aggregation_method = "Count"
    operator                = "LessThan"
    threshold               = 1
  }

  action {
    action_groups = [azurerm_monitor_action_group.this.id]
  }
}

output "log_analytics_id" { value = azurerm_log_analytics_workspace.this.id }
output "application_insights_id" { value = azurerm_application_insights.this.id }
output "action_group_id" { value = azurerm_monitor_action_group.this.id }
