"""Responsible AI: what a model goes by, where it errs, whom it serves worse, what would change its answer, what weather does.

Analyses of any model that has `predict_proba(states, contexts, products)`, and the pages made of them. Exact Shapley values and AIPW are
our own: small, and right where sampling explainers estimate. No verdict on promotion (`training/promotion.py`).
"""
