"""Networks, batches, training and evaluation, in Keras 3 alone."""
