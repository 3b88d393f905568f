"""params.yaml, the registry policy, recipes, and every path of the workspace.

The only room that reads settings; it computes nothing.
"""
