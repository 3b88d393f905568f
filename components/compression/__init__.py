"""Slim images: truncated SVD, encoders, and what each of them saved."""
