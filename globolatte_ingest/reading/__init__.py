"""Reading one landed file: from its bytes to columns of text, or to the reason for refusing it. No warehouse, no ledger."""
