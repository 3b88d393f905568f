"""The command-line program `slimderm`: one file for each group of commands.

A command reads its arguments and prints; the work is done in the rooms below.
"""
