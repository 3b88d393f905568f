"""Classifying with the champion: one image, a folder, over HTTP.

Nothing here trains or promotes.
"""
