"""The preference model, from an order's numbers to a probability for each product.

An order is encoded (`encoding.py`, columns as in `column_places.py`); two experts look at it, a regression on `features.py` and
the taste model (`taste.py`) on `taste_inputs.py`; `predicting.py` puts their answers together. `fitting.py` learns all of it,
`model_files.py` stores it, `model.py` is the estimator around them. Evaluating a model on a holdout is `training/`'s, answering
people's requests `scoring/`'s.
"""
