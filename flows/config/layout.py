"""Every path of the workspace, relative to the clone's top folder, where all commands run."""

from pathlib import Path

from slimderm.components.dataset import variants

PARAMS = Path("params.yaml")
PARAMS_SCHEMA = Path("params.schema.json")
DVC_YAML = Path("dvc.yaml")
REQUIREMENTS_LOCK = Path("requirements.lock")

DATA = Path("data")
SOURCE = DATA / "source"  # what the step synthesize draws
RAW = DATA / "raw"
CATALOG = RAW / "catalog.csv"
QUARANTINE = DATA / "quarantine.csv"
SPLITS = DATA / "splits.csv"
SHORTFALL = DATA / "shortfall.csv"
SWEEP = DATA / "sweep"
STORAGE = DATA / "storage"
RESIZE = DATA / "resize"
INPUT_SIZE = RESIZE / "choice.json"
CHOICE = DATA / "choice.json"
COMPRESSED = DATA / "compressed"
MANIFEST = COMPRESSED / "manifest.parquet"
GROWTH = DATA / "growth"
STUDIES = DATA / "studies"
REGISTERED = DATA / "registry.json"
REVIEW = DATA / "review.json"

# The variants of the dataset that are stored, and where each lies.
VARIANTS = {variants.ORIGINAL: RAW, variants.COMPRESSED: COMPRESSED}

MODELS = Path("models")

REPORTS = Path("reports")
TABLES = REPORTS / "tables"
PLOTS = REPORTS / "plots"
METRICS = REPORTS / "metrics.json"
PAGE = REPORTS / "index.html"


def baseline(network: str) -> Path:
    """Return the folder of a network's unpruned trainings, one in it for each variant."""
    return MODELS / network / "baseline"


def pruned(network: str) -> Path:
    """Return the folder of a network's pruning steps."""
    return MODELS / network / "pruned"
