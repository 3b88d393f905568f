"""Make the workers' own user in MLflow, once: it owns what they record, and manages no users."""

import base64
import json
import os
import sys
import urllib.error
import urllib.request

SERVER = os.environ["MLFLOW_TRACKING_URI"]
ADMIN = (os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"])
WORKER = (os.environ["MLFLOW_WORKER"], os.environ["MLFLOW_WORKER_PASSWORD"])


def ask(path: str, who: tuple[str, str], body: dict[str, str] | None = None) -> tuple[int, str]:
    """Ask MLflow's server as a user; return the status and what it says."""
    pair = base64.b64encode(":".join(who).encode()).decode()
    request = urllib.request.Request(
        f"{SERVER}/api/2.0/mlflow/users/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Basic {pair}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


name, password = WORKER
if ask(f"get?username={name}", WORKER)[0] != 200:
    status, said = ask("create", ADMIN, {"username": name, "password": password})
    if status != 200:
        sys.exit(
            f"MLFLOW_WORKER: received {name!r}, which MLflow neither let in with its password nor "
            f"made a user ({status}: {said}); expected a new name, or the password of that user, "
            "and the administrator's"
        )
sys.stdout.write(f"mlflow: {name} may record\n")
