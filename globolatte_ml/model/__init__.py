"""The preference model: features, what it learns of the chain and of each customer, its files and its serving graph."""
