# The settings of GloboLatte in this environment: what deploy/environments/<environment>.yaml has to say (a test compares the names).
output "settings" {
  value = {
    GLOBOLATTE_ENV                    = var.environment
    GLOBOLATTE_BLOB_ACCOUNT_URL       = trimsuffix(module.storage.blob_account_url, "/")
    GLOBOLATTE_BLOB_CONTAINER         = "landing"
    GLOBOLATTE_BLOB_QUEUE             = "landing-events"
    GLOBOLATTE_AZUREML_RESOURCE_GROUP = azurerm_resource_group.this.name
    GLOBOLATTE_AZUREML_WORKSPACE      = module.machine_learning.workspace_name
    GLOBOLATTE_AZUREML_REGISTRY       = module.machine_learning.registry_name
    GLOBOLATTE_AZUREML_COMPUTE        = "cluster"
    GLOBOLATTE_AZUREML_COMPUTE_NAME   = "globolatte-cpu"
    GLOBOLATTE_AZUREML_ENDPOINT       = "${local.name}-${var.suffix}"
    GLOBOLATTE_AZUREML_BATCH_ENDPOINT = "${local.name}-b-${var.suffix}"
    GLOBOLATTE_SNOWFLAKE_DATABASE     = module.snowflake.database
    GLOBOLATTE_SNOWFLAKE_WAREHOUSE    = module.snowflake.warehouse
    GLOBOLATTE_SNOWFLAKE_USER         = module.snowflake.user
    GLOBOLATTE_SNOWFLAKE_ROLE         = module.snowflake.role
  }
}

output "app_client_id" { value = azurerm_user_assigned_identity.app.client_id }
output "postgres_host" { value = module.postgres.host }
output "cluster_name" { value = module.kubernetes.cluster_name }
