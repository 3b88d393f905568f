"""Backups: what the servers, the store and the clone keep, in one folder with its hashes.

Nothing here starts or stops a server.
"""
