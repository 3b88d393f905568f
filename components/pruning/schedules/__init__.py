"""Which pruning step comes next: a file a schedule, one table of names.

A schedule calls a function that prunes and trains; it knows no framework.
"""
