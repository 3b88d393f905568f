"""Where the servers listen that `make up` starts on this machine."""

import os

HOST = os.environ.get("SERVERS_HOST", "127.0.0.1")
MLFLOW = f"http://{HOST}:{os.environ.get('MLFLOW_PORT', '5000')}"
PREFECT = f"http://{HOST}:{os.environ.get('PREFECT_PORT', '4200')}"
