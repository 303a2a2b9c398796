"""Which products are bought together more often than by chance: statistics of pairs, their table and plots. SQL counts the pairs."""
