"""How the values of one weight become bytes: a file a coding, one table of them."""
