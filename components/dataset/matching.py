"""Which file a row means, where its image_id is not just the file's name without ending."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from slimderm.components.dataset.files import UNREAD
from slimderm.components.dataset.formats import SUFFIXES

Step = Callable[[str], str]


def _without_ending(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return stem if dot and f".{ending}".lower() in (*SUFFIXES, *UNREAD) else name


# What may differ, in the order in which it is taken away.
STEPS: dict[str, Step] = {
    "spaces": str.strip,
    "a folder": lambda name: re.split(r"[/\\]", name)[-1],
    "the ending": _without_ending,
    "a decimal point of a spreadsheet": lambda name: re.sub(r"^(\d+)[.,]0+$", r"\1", name),
    "the unicode form": lambda name: unicodedata.normalize("NFC", name),
    "case": str.casefold,
    "leading zeros": lambda name: re.sub(r"\d+", lambda digits: digits[0].lstrip("0") or "0", name),
}


def match(image_ids: Iterable[str], stems: Collection[str]) -> dict[str, str]:
    """Find for each image_id the one file name that differs from it in `STEPS` alone.

    Parameters
    ----------
    image_ids : iterable of str
        Of the rows; those that are a file's name as they stand need no entry.
    stems : collection of str
        The files' names without their endings.

    Returns
    -------
    dict of str to str
        image_id to stem. Where two rows or two files could be meant there is no entry.
    """
    ids = dict.fromkeys(image_ids)
    names = dict.fromkeys(stems)
    of_ids = Counter(map(_bare, ids))
    of_names = Counter(map(_bare, names))
    name_of = {_bare(name): name for name in names}
    found = {}
    for image_id in ids:
        bare = _bare(image_id)
        alone = of_ids[bare] == 1 and of_names[bare] == 1
        if image_id not in names and alone:
            found[image_id] = name_of[bare]
    return found


def describe_matches(matches: Mapping[str, str]) -> list[str]:
    """Say in which ways matched names differ, with a count and an example of each way."""
    ways: dict[str, list[tuple[str, str]]] = {}
    for image_id, stem in matches.items():
        ways.setdefault(" and ".join(_differences(image_id, stem)), []).append((image_id, stem))
    return [
        f"{len(pairs)} × image_id differs from its file's name in {way} alone, such as "
        f"{pairs[0][0]!r} and {pairs[0][1]!r}; taken as meant"
        for way, pairs in ways.items()
    ]


def _bare(name: str, without: str = "") -> str:
    for step, take_away in STEPS.items():
        if step != without:
            name = take_away(name)
    return name


def _differences(image_id: str, stem: str) -> list[str]:
    return [step for step in STEPS if _bare(image_id, step) != _bare(stem, step)]
