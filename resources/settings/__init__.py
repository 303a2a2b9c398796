"""The settings of a deployment, read from the environment. Each is declared here once, with its meaning and its default."""
