"""From an image and plain age, sex and site to class probabilities, as a trained model needs them.

Nothing here trains or measures. Registered models carry this code, so it imports little.
"""
