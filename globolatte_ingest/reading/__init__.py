"""Reading one landed file: from its bytes to columns of text, or the reason to refuse it as a whole. No warehouse, no ledger."""
