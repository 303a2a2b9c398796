"""Lineage: where a prediction comes from, and what a file, an order, a customer or a model touched.

Here belongs what reads the records of all stages and puts them together as one graph. Beside its own audit log it writes
nothing; it decides nothing, and knows no Dagster.
"""
