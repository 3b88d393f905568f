"""Augmented copies that stand for the images a class lacks: which, and how many."""

import numpy as np
import pandas as pd

WORDS = {"train": "in training", "validation": "in validation", "test": "on test"}


def fill(frame: pd.DataFrame, wanted: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Bring every class of every part to its number of images, by copies or by leaving some out.

    The images of a class take turns: none is copied a second time before all are copied once.

    Parameters
    ----------
    frame : DataFrame
        ``image_id``, ``label``, ``part`` and any other columns; of each part and class one image at
        least.
    wanted : DataFrame
        ``part``, ``label``, ``wanted``: a number of images.
    random : numpy.random.Generator
        Decides which images are left out, and which are copied first.

    Returns
    -------
    DataFrame
        The rows of `frame`, by image_id, with ``copy``: 0 for an image itself, from 1 for copies.
    """
    members = frame.groupby(["part", "label"]).indices
    rows, copies = [], []
    for part, label, number in wanted[["part", "label", "wanted"]].itertuples(index=False):
        order = random.permutation(members[part, label])
        rows.append(np.resize(order, number))  # around and around
        copies.append(np.arange(number) // len(order))
    filled = frame.iloc[np.concatenate(rows)].assign(copy=np.concatenate(copies))
    return filled.sort_values(["image_id", "copy"], ignore_index=True)


def copies_sentence(sizes: pd.DataFrame) -> str:
    """Say how many images of each part are copies; empty where none is.

    Parameters
    ----------
    sizes : DataFrame
        ``part``, ``given`` (images), ``copies``; a part may have several rows.
    """
    totals = sizes.groupby("part")[["given", "copies"]].sum()
    if not totals["copies"].any():
        return ""
    shares = ", ".join(
        f"{totals.at[part, 'copies']:,} of {totals.loc[part].sum():,} {words}"
        for part, words in WORDS.items()
        if part in totals.index
    )
    return (
        f"Images that are augmented copies of others of their part: {shares}. Validation and test "
        "are judged on their copies, too; intervals resample each lesion with its copies."
    )
