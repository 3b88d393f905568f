"""Values as they are."""

from slimderm.components.network_compression.codings.base import exactly as decode
from slimderm.components.network_compression.codings.base import little as encode

__all__ = ["decode", "encode"]
