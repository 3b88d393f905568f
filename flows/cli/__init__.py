"""The command `slimderm`: one file for each group of commands.

Only reading arguments and printing; the work lies below.
"""
