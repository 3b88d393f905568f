"""Which pruning step comes next: a file a schedule, and `table`, which names them all.

A schedule calls a function that prunes and trains; it knows no framework. To add one, write its
file and its line in `table.SCHEDULES`.
"""
