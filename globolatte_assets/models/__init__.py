"""Models: from training examples to a champion, or to the reasons why there is no new one.

These assets run only on request: by the retraining sensor or by a person. The science is in `globolatte_ml`.
"""
