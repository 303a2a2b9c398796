# The landing zone: the account with the container that business units write to, the queue of its events, and the roots of the
# audit log that nobody may change.

variable "name" { type = string }
variable "location" { type = string }
variable "resource_group_name" { type = string }
variable "account_name" { type = string }
variable "endpoint_subnet_id" { type = string }
variable "zone_ids" { type = map(string) }
variable "container" { type = string }
variable "queue" { type = string }
variable "deleted_days" { type = number }
variable "cool_after_days" { type = number }
variable "audit_days" { type = number }
variable "audit_locked" { type = bool }
variable "tags" { type = map(string) }

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

  blob_properties {
    versioning_enabled = true

    delete_retention_policy {
      days = var.deleted_days
    }

    container_delete_retention_policy {
      days = var.deleted_days
    }
  }

  network_rules {
    default_action = "Deny"
    bypass         = ["AzureServices"]
  }
}

resource "azurerm_storage_container" "landing" {
  name                  = var.container
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"
}

resource "azurerm_storage_container" "audit" {
  name                  = "audit-roots"
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"
}

# Unlocked in dev, so that the environment can be taken down again.
resource "azurerm_storage_container_immutability_policy" "audit" {
  storage_container_resource_manager_id = azurerm_storage_container.audit.resource_manager_id
  immutability_period_in_days           = var.audit_days
  protected_append_writes_all_enabled   = false
  locked                                = var.audit_locked
}

resource "azurerm_storage_container" "dead_letters" {
  name                  = "dead-letters"
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"
}

resource "azurerm_storage_queue" "events" {
  name               = var.queue
  storage_account_id = azurerm_storage_account.this.id
}

resource "azurerm_storage_queue" "poison" {
  name               = "${var.queue}-poison"
  storage_account_id = azurerm_storage_account.this.id
}

resource "azurerm_storage_management_policy" "this" {
  storage_account_id = azurerm_storage_account.this.id

  rule {
    name    = "landing-cools"
    enabled = true

    filters {
      blob_types   = ["blockBlob"]
      prefix_match = ["${var.container}/sales/"]
    }

    actions {
      base_blob {
        tier_to_cool_after_days_since_modification_greater_than = var.cool_after_days
      }

      version {
        delete_after_days_since_creation = var.deleted_days
      }
    }
  }
}

resource "azurerm_private_endpoint" "this" {
  for_each            = toset(["blob", "queue"])
  name                = "${var.name}-${each.key}"
  location            = var.location
  resource_group_name = var.resource_group_name
  subnet_id           = var.endpoint_subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "${var.name}-${each.key}"
    private_connection_resource_id = azurerm_storage_account.this.id
    subresource_names              = [each.key]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = each.key
    private_dns_zone_ids = [var.zone_ids[each.key]]
  }
}

# Events go out under the topic's own identity: no key is stored anywhere.
resource "azurerm_eventgrid_system_topic" "this" {
  name                = "${var.name}-landing"
  location            = var.location
  resource_group_name = var.resource_group_name
  source_resource_id  = azurerm_storage_account.this.id
  topic_type          = "Microsoft.Storage.StorageAccounts"
  tags                = var.tags

  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_role_assignment" "topic_sends" {
  scope                = "${azurerm_storage_account.this.id}/queueServices/default/queues/${azurerm_storage_queue.events.name}"
  role_definition_name = "Storage Queue Data Message Sender"
  principal_id         = azurerm_eventgrid_system_topic.this.identity[0].principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "topic_keeps_dead_letters" {
  scope                = azurerm_storage_container.dead_letters.resource_manager_id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_eventgrid_system_topic.this.identity[0].principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_eventgrid_system_topic_event_subscription" "this" {
  name                  = "landing"
  system_topic          = azurerm_eventgrid_system_topic.this.name
  resource_group_name   = var.resource_group_name
  event_delivery_schema = "CloudEventSchemaV1_0"
  included_event_types  = ["Microsoft.Storage.BlobCreated"]

  subject_filter {
    subject_begins_with = "/blobServices/default/containers/${var.container}/"
  }

  storage_queue_endpoint {
    storage_account_id                    = azurerm_storage_account.this.id
    queue_name                            = azurerm_storage_queue.events.name
    queue_message_time_to_live_in_seconds = 604800
  }

  delivery_identity {
    type = "SystemAssigned"
  }

  storage_blob_dead_letter_destination {
    storage_account_id          = azurerm_storage_account.this.id
    storage_blob_container_name = azurerm_storage_container.dead_letters.name
  }

  dead_letter_identity {
    type = "SystemAssigned"
  }

  retry_policy {
    max_delivery_attempts = 30
    event_time_to_live    = 1440
  }

  depends_on = [azurerm_role_assignment.topic_sends, azurerm_role_assignment.topic_keeps_dead_letters]
}

output "account_id" { value = azurerm_storage_account.this.id }
output "blob_account_url" { value = azurerm_storage_account.this.primary_blob_endpoint }
output "landing_container_id" { value = azurerm_storage_container.landing.resource_manager_id }
output "audit_container_id" { value = azurerm_storage_container.audit.resource_manager_id }
output "queue_id" { value = "${azurerm_storage_account.this.id}/queueServices/default/queues/${azurerm_storage_queue.events.name}" }
output "poison_queue_id" { value = "${azurerm_storage_account.this.id}/queueServices/default/queues/${azurerm_storage_queue.poison.name}" }
