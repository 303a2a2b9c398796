# expected: azurerm_resource_group.this: local.name is not declared
resource "azurerm_resource_group" "this" {
  name     = "rg-${local.name}"
  location = "westeurope"
}
