"""Models: from training examples to a new champion, or to the reasons why the challenger was refused.

These assets run only on request: by the retraining sensor or by a person. The science is in `globolatte_ml`.
"""
