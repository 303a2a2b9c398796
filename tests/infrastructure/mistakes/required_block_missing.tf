# expected: azurerm_eventgrid_system_topic_event_subscription.this.storage_queue_endpoint: required argument 'queue_name'
resource "azurerm_eventgrid_system_topic_event_subscription" "this" {
  name                = "landing"
  system_topic        = "landing"
  resource_group_name = "globolatte"
  storage_queue_endpoint {
    storage_account_id = "/subscriptions/0/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/s"
  }
}
