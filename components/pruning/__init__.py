"""Structured pruning of any functional Keras 3 model, and masks.

Schedules, which decide what to prune next, live in `schedules`; no file or server is known here.
"""
