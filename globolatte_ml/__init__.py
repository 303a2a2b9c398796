"""The science of GloboLatte: which product a customer is likely to choose next, learnt from a snapshot of orders.

Belongs here: features, the preference model, its evaluation, the promotion decision, and scoring from files.
Does not belong here: Dagster assets, cloud clients, warehouse access. The package runs as it is on training compute and
inside an endpoint, so scoring imports numpy and pyarrow only, and this file imports nothing at all.
"""
