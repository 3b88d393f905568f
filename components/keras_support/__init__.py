"""What changes how Keras itself behaves, each with its upstream reference and version guard.

No model, metric or dataset is known here.
"""
