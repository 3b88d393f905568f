"""Networks made smaller beyond pruning, and the file `.slim` that holds them."""
