"""Stage `lineage`: whether what is on record still proves what was answered."""
