"""Which channels matter: a file a criterion, and `table`, which names them all.

To add one, write its file and its line in `table.CRITERIA`. Importing the table imports no Keras.
"""
