"""Responsible AI: feature attributions, errors, fairness between groups, counterfactuals, and the causal effect of weather.

Analyses of any model that has `predict_proba(states, contexts, products)`, and the pages made of them. Exact Shapley values and AIPW are
our own: small, and exact where sampling explainers only estimate. The promotion verdict is elsewhere (`training/promotion.py`).
"""
