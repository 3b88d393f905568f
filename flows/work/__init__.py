"""What steps share: training, pruning, sources of examples, studies, reviews, chunks of work.

Nothing here knows which stage calls it.
"""
