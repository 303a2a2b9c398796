# expected: azurerm_resource_group.this: declared twice
resource "azurerm_resource_group" "this" {
  name     = "globolatte"
  location = "westeurope"
}

resource "azurerm_resource_group" "this" {
  name     = "globolatte"
  location = "westeurope"
}
