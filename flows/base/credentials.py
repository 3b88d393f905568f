"""Names of the variables that hold credentials, and what to do where they come late."""

# Their values are written nowhere.
CREDENTIALS = (
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_PROFILE",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "PREFECT_API_AUTH_STRING",
    "PGPASSWORD",
)
START_AGAIN = (
    "set them, then run `make down` and `make up` (on an agent: stop it, `make agent`), since "
    "servers and workers keep the environment that they were started with"
)
