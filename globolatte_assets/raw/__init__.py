"""Raw: landing files become rows, on the record.

Here belong the reading and judging of files, the load ledger, the quarantine, reference data and the holiday calendar.
What rows mean for the business does not: that starts in dbt.
"""
