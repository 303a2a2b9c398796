"""A training job from a snapshot to a model folder, and the decision whether that model becomes champion: evaluation against baselines on a
holdout, proofs of the model itself, gates. The assets act on the decision."""
