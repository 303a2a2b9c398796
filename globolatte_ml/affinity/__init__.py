"""Which products are bought together, beyond chance: pairs, their table and their pictures."""
