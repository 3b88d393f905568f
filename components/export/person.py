"""Age, sex and site as a shipped file takes them, and how it makes the network's metadata of them.

What comes in is plain: years, and the place of each word in the encoder's lists. The encoding is
that of `slimderm.components.training.metadata.MetadataEncoder`, inside the graph.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from slimderm.components.training.metadata import COLUMNS

WORDS = {"sex": "sexes", "localization": "localizations"}  # input: the encoder's words


def last_place(encoder: Mapping[str, Any], name: str) -> int:
    """Return the divisor of a word's place: that of the last word, and 1 where there is one alone.

    Parameters
    ----------
    encoder : mapping
        As ``MetadataEncoder.to_dict`` gives it.
    name : str
        A key of `WORDS`.
    """
    return max(1, len(encoder[WORDS[name]]) - 1)


def plain_inputs(
    people: pd.DataFrame, encoder: Mapping[str, Any]
) -> dict[str, npt.NDArray[np.float32]]:
    """Return what a file takes of people.

    Parameters
    ----------
    people : DataFrame
        N rows: age (years, NaN where unknown), sex, localization.
    encoder : mapping
        As ``MetadataEncoder.to_dict`` gives it.

    Returns
    -------
    dict of str to float32 array of shape (N, 1)
        ``age`` in years, the encoder's median where unknown; ``sex`` and ``localization``, the
        place of the word in the encoder's list, counted from 0, which is unknown.
    """
    found = {"age": people["age"].astype(float).fillna(encoder["age_median"])}
    for name, words in WORDS.items():
        places = {word: place for place, word in enumerate(encoder[words])}
        found[name] = people[name].map(lambda word, places=places: places.get(word, 0))
    return {name: found[name].to_numpy(np.float32).reshape(-1, 1) for name in COLUMNS}


def encoded(inputs: Mapping[str, Any], encoder: Mapping[str, Any]) -> Any:
    """Make the network's metadata, (1, 3), of a graph's inputs as `plain_inputs` gives them."""
    from keras import ops

    age = (inputs["age"] - encoder["age_mean"]) / encoder["age_deviation"]
    codes = [inputs[name] / last_place(encoder, name) for name in WORDS]
    return ops.concatenate([age, *codes], axis=1)
