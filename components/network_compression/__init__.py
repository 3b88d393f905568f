"""Make trained networks smaller by other means than pruning, and store them in few bytes."""
