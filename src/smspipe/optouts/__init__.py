"""Keeper of opt-outs: which numbers must not be texted by which sender, since when, and who said so."""
