"""The terminal, files, retries: what every other room of `flows` stands on.

No parameter, server or stage is known here.
"""
