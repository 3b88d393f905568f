#!/bin/sh
# Print, for infra/.env, the digest of each image that compose.yaml takes from a registry:
#   sh infra/pin_images.sh >> infra/.env
# It pulls each of them, under the tag that the compose files give.
set -eu
cd "$(dirname "$0")"
grep -ohE '\$\{[A-Z0-9]+_IMAGE:-[^}]+\}' compose.yaml compose.tls.yaml | sort -u |
    sed 's/^\${\(.*\):-\(.*\)}$/\1 \2/' | while read -r name image; do
    docker pull --quiet "$image" >&2
    printf '%s=%s\n' "$name" "$(docker image inspect --format '{{index .RepoDigests 0}}' "$image")"
done
