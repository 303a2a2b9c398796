# expected: azurerm_role_assignment.this: role 'Storage Blob Reader'
resource "azurerm_role_assignment" "this" {
  scope                = "/subscriptions/0"
  role_definition_name = "Storage Blob Reader"
  principal_id         = "00000000-0000-0000-0000-000000000000"
}
