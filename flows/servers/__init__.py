"""MLflow's and Prefect's servers on this machine, and the check of what a machine has.

Nothing here reads the dataset.
"""
