variable "environment" {
  type = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "The environment is dev, staging or prod: the same word as GLOBOLATTE_ENV."
  }
}

# Three to six letters or digits that make names unique which all of Azure shares.
variable "suffix" {
  type = string

  validation {
    condition     = can(regex("^[a-z0-9]{3,6}$", var.suffix))
    error_message = "The suffix has three to six lower-case letters or digits."
  }
}

variable "location" { type = string }
variable "address_space" { type = string }
variable "operations_email" { type = string }
variable "monthly_budget" { type = number }
variable "budget_start" { type = string }
variable "log_days" { type = number }
variable "deleted_days" { type = number }
variable "audit_days" { type = number }
variable "audit_locked" { type = bool }
variable "cluster_nodes_max" { type = number }
variable "cluster_priority" { type = string }
variable "postgres_sku" { type = string }
variable "postgres_backup_days" { type = number }
variable "highly_available" { type = bool }
variable "node_size" { type = string }
variable "nodes_min" { type = number }
variable "nodes_max" { type = number }
variable "warehouse_size" { type = string }
variable "credit_quota" { type = number }
variable "snowflake_public_key" { type = string }

# The container behind the workspace's default datastore; Azure ML names it when it makes the workspace
# (az ml datastore show --name workspaceblobstore).
variable "snapshots_container" { type = string }

variable "postgres_password" {
  type      = string
  sensitive = true
  ephemeral = true
}

variable "postgres_password_version" { type = number }

variable "groups" {
  type = object({
    data_engineers   = string
    data_scientists  = string
    ml_engineers     = string
    devops_engineers = string
    analysts         = string
    auditors         = string
  })
}
