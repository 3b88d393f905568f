"""What is recorded of inputs in use, and how it is looked at; labels that come later.

Pictures, names of files and of people are not kept.
"""
