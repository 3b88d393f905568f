"""Models in use: classify images with the registered one."""

from pathlib import Path
from typing import Annotated

import typer

from slimderm.flows.base.terminal import console
from slimderm.flows.cli.command import Answer, Json


def predict(
    image: Annotated[Path, typer.Argument(help="A dermatoscopic image.")],
    age: Annotated[str, typer.Option(help="Years; empty where unknown.")] = "",
    sex: Annotated[str, typer.Option(help="male, female; empty where unknown.")] = "",
    site: Annotated[
        str, typer.Option(help="As HAM10000 writes it, e.g. back; empty where unknown.")
    ] = "",
    as_json: Json = False,
) -> Answer:
    """Classify one image.

    Reads the image and the champion from the registry, or the challenger where there is no
    champion. Writes nothing. Takes some ten seconds, most of them to load TensorFlow. Not a medical
    device: docs/intended-use.md.
    """
    from rich.table import Table

    from slimderm.flows.serving.predict import predict as classify

    name, probabilities = classify(image, age, sex, site)
    table = Table(title=name, caption="not a medical device: docs/intended-use.md")
    table.add_column("class")
    table.add_column("probability", justify="right")
    for label, value in sorted(probabilities.items(), key=lambda pair: -pair[1]):
        table.add_row(label, f"{value:.3f}")
    console.print(table)
    return Answer({"model": name, "probabilities": probabilities})


def batch(
    images: Annotated[str, typer.Argument(help="A folder; images lie in it at any depth.")],
    output: Annotated[str, typer.Argument(help="Where the table goes.")] = "probabilities.csv",
    metadata: Annotated[
        str,
        typer.Option(help="A CSV file with image_id and any of lesion_id, age, sex, localization."),
    ] = "",
    record: Annotated[
        str, typer.Option(help="What is kept of the images: nothing, statistics or embedding.")
    ] = "nothing",
) -> None:
    """Classify a folder of images with the champion.

    Reads the images, the metadata and the champion from the registry. Writes a row for each image
    into output: the probabilities, the model's version and the file's hash; with --record, also
    statistics into data/watch/ for the command watch, never pictures. Takes milliseconds for each
    image, and some ten seconds to load TensorFlow.
    """
    from slimderm.flows.serving.batch import predict_folder

    predict_folder.fn(images, output, metadata or None, record)


def serve(
    *,
    mlflow: Annotated[
        bool, typer.Option("--mlflow", help="By MLflow's own server: rows of a table, no page.")
    ] = False,
) -> None:
    """Serve the champion over HTTP.

    Takes a photograph as a file or as base64, with age, sex and site. Reads the champion from the
    registry, and the next one once it is promoted. Listens on loopback, port 5001; SERVERS_HOST and
    SERVE_PORT name others, docs/served-model.md more. Runs until it is stopped.
    """
    from slimderm.flows.serving import serve as servers

    if mlflow:
        servers.serve_by_mlflow()
    else:
        servers.serve()
