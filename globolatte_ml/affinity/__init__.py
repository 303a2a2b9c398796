"""Which products are bought together, beyond chance: the statistics of counted pairs, their table and their pictures. Counting is SQL's."""
