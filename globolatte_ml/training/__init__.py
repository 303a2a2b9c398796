"""From a snapshot to a judged model: fitting, searching, evaluating on the holdout, proofs and the decision to promote."""
