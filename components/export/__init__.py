"""A network as a file that small runtimes run, and that file judged by its own runtime.

TensorFlow is imported here alone among the components, and only while a file is made.
"""
