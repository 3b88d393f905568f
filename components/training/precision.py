"""The arithmetic to train in, chosen from the machine."""

from collections.abc import Collection
from pathlib import Path

from slimderm.components.common.checks import check_name

PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
# Processors that multiply bfloat16 in hardware. Measured on the AlexNet based network at 200x100:
# AMX four times as fast as float32, AVX-512 BF16 one and a half times.
BFLOAT16_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})


def choose_precision(name: str) -> str:
    """Turn a setting into a Keras dtype policy; ``auto`` asks this machine.

    Raises
    ------
    ParameterError
        When the name is not among `PRECISIONS`.
    """
    if name != "auto":
        return policy_for(name, cpu_flags=(), num_gpus=0)
    return policy_for(name, cpu_flags=read_cpu_flags(), num_gpus=count_gpus())


def count_gpus() -> int:
    """Count the GPUs that Keras's backend sees."""
    import keras  # here, so that the names can be read without it

    if keras.backend.backend() == "torch":  # Keras lists no devices of it
        import torch

        return int(torch.cuda.device_count())
    # Asked for GPUs alone, JAX raises where there is none.
    return sum(name.startswith("gpu") for name in keras.distribution.list_devices())


def policy_for(name: str, *, cpu_flags: Collection[str], num_gpus: int) -> str:
    """Decide the dtype policy for a machine that is described, not asked.

    Raises
    ------
    ParameterError
        When the name is not among `PRECISIONS`.
    """
    check_name("precision", name, PRECISIONS)
    if name != "auto":
        return name
    if num_gpus > 0 or not BFLOAT16_FLAGS.isdisjoint(cpu_flags):
        return "mixed_bfloat16"
    return "float32"


def read_cpu_flags(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Read the processor's feature flags; none where the system does not list them."""
    if not path.is_file():
        return frozenset()
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()
