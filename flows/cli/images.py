"""Images: download, compare codecs, check the compressed dataset."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slimderm.flows.base.terminal import progress_bar
from slimderm.flows.cli.command import Answer, Json, say
from slimderm.flows.config import layout

if TYPE_CHECKING:
    import pandas as pd


def data(
    folder: Annotated[Path, typer.Argument(help="Where the images go.")] = layout.HAM10000,
) -> None:
    """Download the HAM10000 dataset.

    Reads its publishers' servers. Writes images, metadata and masks into the folder. Costs
    some 3 GB of network traffic and of disk. A download that was stopped goes on where it was.
    """
    from slimderm.components.dataset.download import fetch_dataset
    from slimderm.components.dataset.download_source import OFFICIAL

    with progress_bar("download, MB", None) as update:
        fetch_dataset(folder, OFFICIAL, progress=lambda name, n: update(n // 10**6, name))
    say(f"data: {folder}; next: make run DATA={folder} RECIPE=recipes/paper.yaml")


def codecs(
    images: Annotated[str, typer.Argument(help="A folder; images lie in it at any depth.")],
    target: Annotated[Path, typer.Option(help="Where tables and the picture go.")] = layout.CODECS,
    k: Annotated[int, typer.Option(help="Rank of the SVD in the sentences and the picture.")] = 350,
    as_json: Json = False,
) -> Answer:
    """Find the codec that stores a folder of images in the fewest bytes.

    Reads the images, and the sections storage, quality and compress of params.yaml. Writes tables
    and a picture into --target, and results into the cache. Takes seconds for each image; at most
    storage.max_images are drawn.
    """
    import pandas as pd

    from slimderm.components.common.errors import ParameterError
    from slimderm.flows.work.storage_study import study_folder

    if not images or not Path(images).is_dir():  # an empty name is the current folder's, too
        raise ParameterError(f"images: received {images!r}, expected a folder of images")
    study_folder(Path(images), target, k)
    return Answer({"target": str(target), "summary": _rows(pd.read_csv(target / "summary.csv"))})


def verify(
    folder: Annotated[Path, typer.Option(help="The compressed dataset.")] = layout.COMPRESSED,
    source: Annotated[Path, typer.Option(help="The images that it was made of.")] = layout.RAW,
    as_json: Json = False,
) -> Answer:
    """Check the compressed dataset against its manifest.

    Reads every image, compressed and original. Writes nothing. Takes milliseconds for each image.
    Exits with 1 if a file differs.
    """
    found = differences(folder, source)
    return Answer({"differences": _rows(found)}, passed=found.empty)


def differences(folder: Path, source: Path) -> "pd.DataFrame":
    """Give what differs, as `slimderm.components.compression.verify.verify` does, and print it.

    Raises
    ------
    RecordError
        If the folder holds no manifest.
    """
    import pandas as pd

    from slimderm.components.common.errors import RecordError
    from slimderm.components.compression.verify import verify as compare

    try:
        manifest = pd.read_parquet(folder / layout.MANIFEST.name)
    except FileNotFoundError as error:
        raise RecordError(
            f"{folder / layout.MANIFEST.name}: not there; `make run` writes the compressed dataset"
        ) from error
    with progress_bar("verify", len(manifest)) as update:
        found = compare(
            folder, manifest, source=source, own={layout.MANIFEST.name}, progress=update
        )
    for row in found.itertuples():
        say(f"{row.file}: {row.problem} ({row.detail})")
    files = found["file"].nunique()
    if files:
        differ = "1 file differs" if files == 1 else f"{files} files differ"
        say(f"verify: {differ} from the manifest of {len(manifest)} images")
    else:
        say(f"verify: {len(manifest)} images agree with their manifest")
    return found


def _rows(frame: "pd.DataFrame") -> Any:
    """Return a table's rows as JSON has them: null where there is no value."""
    return json.loads(frame.to_json(orient="records"))
