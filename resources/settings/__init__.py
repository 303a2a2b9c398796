"""What a deployment chooses, read from the environment. A setting is declared here once, with its meaning and its default."""
