"""Keeper of the ledger: every delivery with its state, the cooldown windows, and the counts by hour."""
