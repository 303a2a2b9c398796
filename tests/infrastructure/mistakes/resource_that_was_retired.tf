# expected: azurerm_app_service_plan.this: deprecated
resource "azurerm_app_service_plan" "this" {
  name                = "plan"
  location            = "westeurope"
  resource_group_name = "globolatte"
  sku {
    tier = "Standard"
    size = "S1"
  }
}
