# expected: azurerm_role_definition.this.permissions: action '*'
resource "azurerm_role_definition" "this" {
  name  = "everything"
  scope = "/subscriptions/0"
  permissions {
    actions = ["*"]
  }
}
