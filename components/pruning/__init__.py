"""Structured pruning by a fixed factor: widths, acceptance, schedules, growth (paper, section 4)."""
