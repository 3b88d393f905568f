"""Errors, settings, worker processes and the cache of finished work: what every room may use.

Nothing here knows images, networks or metrics.
"""
