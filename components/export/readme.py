"""The page that lies beside a shipped file."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from slimderm.components.export.person import WORDS, last_place
from slimderm.components.training.metadata import COLUMNS

AGE = 45  # of the example
PLAIN = set(COLUMNS)


def readme(ledger: Mapping[str, Any]) -> str:
    """Write what somebody needs who has the file and nothing else of ours.

    Parameters
    ----------
    ledger : mapping
        As `slimderm.flows.serving.export.export_network` writes it into ``ledger.json``.

    Returns
    -------
    str
        Markdown: inputs, output, code in three languages, what was measured, licence, use.
    """
    environment = Environment(
        loader=PackageLoader("slimderm.components.export"),
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    encoder = ledger["encoder"]
    return environment.get_template("README.md.jinja").render(
        ledger=ledger,
        image=ledger["inputs"]["image"],
        metadata=ledger["inputs"].get("metadata"),
        plain=PLAIN & set(ledger["inputs"]) == PLAIN,
        white=f"{ledger['white']:g}",
        encoder=encoder,
        last={name: last_place(encoder, name) for name in WORDS} if encoder else {},
        example=_example(ledger),
    )


def _example(ledger: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a person's inputs are in the example: expressions by name, and a comment."""
    encoder, metadata = ledger["encoder"], ledger["inputs"].get("metadata")
    if encoder is None:
        numbers = ", ".join(["0.0"] * metadata[1]) if metadata else ""
        return {"metadata": numbers, "comment": "as the network was trained with"}
    words = {name: list(encoder[words]) for name, words in WORDS.items()}
    places = {name: len(each) - 1 for name, each in words.items()}
    age = f"({AGE} - {encoder['age_mean']:.6g}) / {encoder['age_deviation']:.6g}"
    codes = [f"{place} / {last_place(encoder, name)}" for name, place in places.items()]
    return {
        "metadata": ", ".join([age, *codes]),
        "person": {"age": AGE} | places,
        "comment": f"{AGE} years, {', '.join(each[-1] for each in words.values())}",
    }
