"""Every path of the workspace, relative to the clone's top folder, where all commands run."""

from pathlib import Path

from slimderm.components.dataset import variants

PARAMS = Path("params.yaml")
PARAMS_SCHEMA = Path("params.schema.json")
RECIPES = Path("recipes")
DVC_YAML = Path("dvc.yaml")
DVC_LOCK = Path("dvc.lock")
DVC = Path(".dvc")
DVC_TMP = DVC / "tmp"
DVC_DAMAGED = DVC / "damaged"  # what `make doctor` sets aside
PREFECT_YAML = Path("prefect.yaml")
REGISTRY_POLICY = Path("mlflow/registry.yaml")
REQUIREMENTS_LOCK = Path("requirements.lock")
MAKEFILE = Path("Makefile")
LICENCE = Path("LICENSE")
KIOSK = Path("kiosk")  # the page's sources
KIOSK_PACKAGES = Path(".cache/kiosk")  # what it runs with, as npm installed it

SERVERS = Path(".servers")  # what `make up` started: process numbers and logs
BACKUPS = Path("backups")  # what `make backup` writes
WORKPLACE = Path(".agent")  # the clone inside a clone in which an agent runs its jobs
SEARCHPLACE = Path(".search")  # the one from which a search sends recipes to agents

DATA = Path("data")
SOURCE = DATA / "source"  # what the step synthesize draws
HAM10000 = DATA / "ham10000"  # where `make data` downloads to
RAW = DATA / "raw"
CATALOG = RAW / "catalog.csv"
QUARANTINE = DATA / "quarantine.csv"
SPLITS = DATA / "splits.csv"
SHORTFALL = DATA / "shortfall.csv"
NEAR_DUPLICATES = DATA / "near_duplicates.csv"
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

IMAGE_ONLY = "image_only"  # in a baseline's folder: trained without age, sex and site
MODELS = Path("models")  # of the networks that params.yaml lists
SLIM = MODELS / "slim"  # of its recipes
RECIPE_LEDGER = "ledger.csv"  # in the folder of each
UNLISTED = Path(".cache/unlisted")  # models of networks that it lists no more

REPORTS = Path("reports")
TABLES = REPORTS / "tables"
PLOTS = REPORTS / "plots"
METRICS_FILE = REPORTS / "metrics.json"  # in git
SUMMARY = REPORTS / "summary.json"  # what the end of a run says
PAGE = REPORTS / "index.html"
EVALUATIONS = REPORTS / "evaluations"  # what `make evaluate` writes, a folder each
SEARCH = REPORTS / "search"  # what `slimderm search` writes, a folder a network
CODECS = REPORTS / "storage"  # what `make codecs` writes


def baseline(network: str) -> Path:
    """Return the folder of a network's unpruned trainings: each variant's, and `IMAGE_ONLY`."""
    return MODELS / network / "baseline"


def pruned(network: str) -> Path:
    """Return the folder of a network's pruning steps."""
    return MODELS / network / "pruned"


def slimmed(recipe: str) -> Path:
    """Return the folder of what a recipe's passes made."""
    return SLIM / recipe
