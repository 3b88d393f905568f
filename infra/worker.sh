#!/bin/sh
# A worker's container: clone once, set the remote, then work for the pool that is named.
set -eu
pool=$1
shift
if [ ! -d clone ]; then # it appears whole or not at all
    rm -rf draft
    git clone --quiet "$REPOSITORY" draft
    mv draft clone
fi
cd clone
export SLIMDERM_CLONE="$PWD"
python -m flows.store "$DATA_REMOTE" "$ARTIFACTS"
if [ "$pool" = cpu ]; then
    python -m flows.deployments all
else
    prefect work-pool create "$pool" --type process --overwrite
fi
exec prefect worker start --type process --pool "$pool" --name "$pool-$(hostname)" "$@"
