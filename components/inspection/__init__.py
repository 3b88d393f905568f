"""What a network sees: similarity of layers, activation maps, Grad-CAM.

Nothing here draws; `reporting` does.
"""
