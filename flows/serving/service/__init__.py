"""The champion as a service: a photograph and plain words in, calibrated probabilities out.

What is classified, and how, is `slimderm.components.classification`; here it is asked over HTTP.
"""
