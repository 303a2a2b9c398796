# expected: azapi_resource.this: type 'Microsoft.MachineLearningServices/workspaces/onlineEndpoints@2024-13-01'
resource "azapi_resource" "this" {
  type      = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints@2024-13-01"
  name      = "recommender"
  parent_id = "/workspaces/globolatte"
  location  = "westeurope"
  body = {
    properties = {
      authMode = "Key"
    }
  }
}
