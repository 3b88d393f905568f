"""Structured pruning by a fixed factor: widths, acceptance, schedules and growth."""
