"""Responsible AI: what a model goes by, where it errs, whom it serves worse, what would change its mind, what weather does.

Belongs here: analyses of any model that has `predict_proba(states, contexts, products)`, and the pages made of them.
Does not belong here: the model, its evaluation (`evaluation.py`) and the decision on promotion (`promotion.py`).
"""
