"""The page that lies beside a shipped file."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

AGE = 45  # of the example


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
    metadata, encoder = ledger["inputs"].get("metadata"), ledger["encoder"]
    example, comment = _example(metadata, encoder)
    return environment.get_template("README.md.jinja").render(
        ledger=ledger,
        image=ledger["inputs"]["image"],
        metadata=metadata,
        white=f"{ledger['white']:g}",
        encoder=encoder,
        last_sex=_last(encoder, "sexes"),
        last_site=_last(encoder, "localizations"),
        example=example,
        example_comment=comment,
    )


def _last(encoder: Mapping[str, Any] | None, words: str) -> int:
    """Return the divisor of codes: the place of the last word, and 1 where there is one alone."""
    return max(1, len(encoder[words]) - 1) if encoder else 1


def _example(
    metadata: list[int] | None, encoder: Mapping[str, Any] | None
) -> tuple[list[str], str]:
    """Return the example's metadata as expressions, and a comment that says what they are."""
    if metadata is None:
        return [], ""
    if encoder is None:
        return ["0.0"] * metadata[1], "  # as the network was trained with"
    sex, site = (list(encoder[words])[-1] for words in ("sexes", "localizations"))
    age = f"({AGE} - {encoder['age_mean']:.6g}) / {encoder['age_deviation']:.6g}"
    codes = [
        f"{len(encoder[words]) - 1} / {_last(encoder, words)}"
        for words in ("sexes", "localizations")
    ]
    return [age, *codes], f"  # {AGE} years, {sex}, {site}"
