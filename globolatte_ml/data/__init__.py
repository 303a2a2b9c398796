"""What the science is given: states, contexts, snapshots and orders, and their columns. Nothing here learns or predicts."""
