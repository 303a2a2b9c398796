"""What orders and customers are: contexts, states, vocabulary, snapshots; typed reading of Parquet. Nothing about models."""
