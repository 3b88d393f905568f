"""What SlimDerm computes: plain functions and frozen dataclasses, data in, value out."""
