#!/bin/sh
# Make a password in infra/secrets for each of compose.yaml that is not there; what is there stays.
# To choose one yourself, write it into its file first; to change one, see docs/operations.md.
set -eu
cd "$(dirname "$0")"
umask 077 # nobody else of this machine enters the folder
mkdir -p secrets
cd secrets
random() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}
write() { # readable to the containers' own users, who see the file and not the folder
    cat > ".$1.draft"
    chmod 644 ".$1.draft"
    mv ".$1.draft" "$1"
}
for name in POSTGRES_PASSWORD S3_SECRET_KEY MLFLOW_PASSWORD MLFLOW_WORKER_PASSWORD \
    MLFLOW_SECRET_KEY SERVE_TOKEN; do
    [ -s "$name" ] || random | write "$name"
done
[ -s PREFECT_AUTH ] || printf "slimderm:%s" "$(random)" | write PREFECT_AUTH
# Some versions of SeaweedFS take no keys from the environment: they stand in a file.
printf '{"identities": [{"name": "slimderm", "actions": ["Admin"], "credentials": [
  {"accessKey": "slimderm", "secretKey": "%s"}]}]}\n' "$(cat S3_SECRET_KEY)" | write s3.json
