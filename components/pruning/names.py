"""What scopes, aggregates, inits and budgets are called. Importing it loads no library."""

SCOPES = ("local", "global", "isomorphic")
AGGREGATES = ("mean", "sum", "max")
INITS = ("scratch", "inherit")
KINDS = ("parameters", "multiply_accumulates", "bytes", "latency_ms")  # of a budget
