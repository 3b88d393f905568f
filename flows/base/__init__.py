"""The terminal, files, retries: used by every other room of `flows`.

It knows no parameter, server or stage.
"""
