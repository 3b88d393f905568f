"""Structured pruning of Keras models: dependency graph, surgery, criteria, budgets, schedules."""
