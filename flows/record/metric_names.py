"""Names of metrics in MLflow, whose page makes a section of what stands before a slash.

Files and code write ``test_balanced_accuracy``; MLflow gets ``test/balanced_accuracy``.
"""

from collections.abc import Mapping

PARTS = ("train", "validation", "test", "epoch")  # they begin a name
SECTIONS = {
    "size": (
        "num_parameters",
        "share_of_parameters",
        "bytes",
        "bytes_with_optimizer",
        "slim_bytes",
        "float32_bytes",
    ),
    "cost": ("multiply_accumulates", "training_seconds", "latency_p50_ms"),
}
MEASURED = tuple(name for names in SECTIONS.values() for name in names)  # of a record
_SECTION_OF = {name: section for section, names in SECTIONS.items() for name in names}


def sectioned(metrics: Mapping[str, float]) -> dict[str, float]:
    """Name metrics as MLflow gets them; one of no known section keeps its name."""
    return {_sectioned(name): value for name, value in metrics.items()}


def _sectioned(name: str) -> str:
    part, _, rest = name.partition("_")
    if rest and part in PARTS:
        return f"{part}/{rest}"
    return f"{_SECTION_OF[name]}/{name}" if name in _SECTION_OF else name


def plain(metrics: Mapping[str, float]) -> dict[str, float]:
    """Name metrics as files and code do; a run that was recorded before sections has such names."""
    found = {}
    for name, value in metrics.items():
        section, _, rest = name.partition("/")
        found[f"{section}_{rest}" if section in PARTS and rest else rest or name] = value
    return found
