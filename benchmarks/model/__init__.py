"""The quality of the preference model, compared with other models fitted in the same run and with the best possible prediction."""
