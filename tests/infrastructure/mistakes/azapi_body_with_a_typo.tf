# expected: azapi_resource.this: body.properties: unknown property 'authmode'
resource "azapi_resource" "this" {
  type      = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints@2024-10-01"
  name      = "recommender"
  parent_id = "/workspaces/globolatte"
  location  = "westeurope"
  body = {
    properties = {
      authmode = "Key"
    }
  }
}
