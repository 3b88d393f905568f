"""How near a stored image is to its original, by every metric of the paper; the choice of k."""
