"""The preference model, from an order's numbers to a probability for each product.

An order is encoded (`encoding.py`, columns as in `column_places.py`); two experts look at it, a regression on `features.py` and
the taste model (`taste.py`) on `taste_inputs.py`; `predicting.py` combines their predictions. `fitting.py` learns all of it,
`model_files.py` stores it, `model.py` is the estimator around them. Models are evaluated in `training/`, requests are answered in
`scoring/`.
"""
