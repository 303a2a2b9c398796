"""Orders and customers as data: contexts, states, vocabulary, snapshots; typed reading of Parquet. Nothing about models."""
