# What only the company knows. Values come from `TF_VAR_…` in the pipeline or from a file that is not in git.

variable "subscription_id" { type = string }
variable "suffix" { type = string }
variable "operations_email" { type = string }
variable "budget_start" { type = string }
variable "snowflake_organization" { type = string }
variable "snowflake_account" { type = string }
variable "snowflake_public_key" { type = string }
variable "snapshots_container" { type = string }

variable "location" {
  type    = string
  default = "westeurope"
}

variable "postgres_password" {
  type      = string
  sensitive = true
  ephemeral = true
}

variable "postgres_password_version" {
  type    = number
  default = 1
}

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
