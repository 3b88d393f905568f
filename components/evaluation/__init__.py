"""Metrics, bootstrap intervals, calibration and promotion gates, from arrays of probabilities.

Nothing here runs a model.
"""
