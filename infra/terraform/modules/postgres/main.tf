# Dagster's storage: runs, events, schedules.

variable "name" { type = string }
variable "location" { type = string }
variable "resource_group_name" { type = string }
variable "subnet_id" { type = string }
variable "zone_id" { type = string }
variable "sku_name" { type = string }
variable "backup_days" { type = number }
variable "highly_available" { type = bool }
variable "log_analytics_id" { type = string }
variable "action_group_id" { type = string }
variable "tags" { type = map(string) }

# Write-only: it reaches the server, and neither the plan nor the state.
variable "password" {
  type      = string
  sensitive = true
  ephemeral = true
}

variable "password_version" { type = number }

resource "azurerm_postgresql_flexible_server" "this" {
  name                              = var.name
  location                          = var.location
  resource_group_name               = var.resource_group_name
  version                           = "16"
  sku_name                          = var.sku_name
  storage_mb                        = 65536
  auto_grow_enabled                 = true
  backup_retention_days             = var.backup_days
  geo_redundant_backup_enabled      = var.highly_available
  delegated_subnet_id               = var.subnet_id
  private_dns_zone_id               = var.zone_id
  public_network_access_enabled     = false
  administrator_login               = "dagster"
  administrator_password_wo         = var.password
  administrator_password_wo_version = var.password_version
  tags                              = var.tags

  dynamic "high_availability" {
    for_each = var.highly_available ? ["ZoneRedundant"] : []
    content {
      mode = high_availability.value
    }
  }

  lifecycle {
    ignore_changes = [zone]
  }
}

resource "azurerm_postgresql_flexible_server_database" "dagster" {
  name      = "dagster"
  server_id = azurerm_postgresql_flexible_server.this.id
  charset   = "UTF8"
  collation = "en_US.utf8"
}

resource "azurerm_monitor_diagnostic_setting" "this" {
  name                       = "logs"
  target_resource_id         = azurerm_postgresql_flexible_server.this.id
  log_analytics_workspace_id = var.log_analytics_id

  enabled_log {
    category = "PostgreSQLLogs"
  }
}

resource "azurerm_monitor_metric_alert" "storage" {
  name                = "${var.name}-storage"
  resource_group_name = var.resource_group_name
  scopes              = [azurerm_postgresql_flexible_server.this.id]
  severity            = 2
  tags                = var.tags

  criteria {
    metric_namespace = "Microsoft.DBforPostgreSQL/flexibleServers"
    metric_name      = "storage_percent"
    aggregation      = "Average"
    operator         = "GreaterThan"
    threshold        = 80
  }

  action {
    action_group_id = var.action_group_id
  }
}

output "host" { value = azurerm_postgresql_flexible_server.this.fqdn }
output "database" { value = azurerm_postgresql_flexible_server_database.dagster.name }
