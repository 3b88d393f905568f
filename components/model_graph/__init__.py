"""A Keras model read as a graph: its calls, coupled channels, costs and latency.

Nothing here changes a model; `pruning` does.
"""
