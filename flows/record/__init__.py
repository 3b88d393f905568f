"""MLflow's runs and registry, dvc.lock, data versions, stage inputs, S3.

The only room that imports mlflow, dvc and boto3.
"""
