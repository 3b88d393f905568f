"""Inputs in use beside those of training: statistics, embeddings, tests; labels that come later.

Nothing here keeps a picture, or says where its numbers are kept.
"""
