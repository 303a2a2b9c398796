"""How good the preference model is, beside peers fitted in the same run and the best possible answer."""
