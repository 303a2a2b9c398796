# expected: azurerm_resource_group.this: var.region is not declared
resource "azurerm_resource_group" "this" {
  name     = "globolatte"
  location = var.region
}
