"""Why a row or a file is set apart, and what mends it."""

from collections import Counter
from collections.abc import Mapping, Sequence

# Reason to what mends it.
REASONS = {
    "no dataset": "see its detail",
    "row without image": "put the image into the folder; image_id is its file's name",
    "image without row": "add a row with the file's name as image_id",
    "row at fault": "mend the image's row, which stands here, too",
    "row cut short": "fill the row up to the number of columns",
    "row without image_id": "fill in the file's name",
    "row without lesion_id": "fill in a name that all images of the lesion share",
    "row without dx": "fill in the diagnosis",
    "duplicate row": "leave one row for each image_id",
    "diagnosis in no class": (
        "name it in ingest.classes, or say in ingest.diagnoses which of ours it is (theirs: ours)"
    ),
    "bad age": "years from 0 to 120, or empty",
    "duplicate image_id": "keep one file of each name; the largest won",
    "duplicate image": "keep one image of the same bytes",
    "ending not read": "convert it to PNG, which loses nothing",
    "left out": "move the images out of the hidden or thumbnail folder if they are meant",
    "empty file": "copy the file again",
    "truncated": "copy the file again",
    "unreadable": "copy the file again, or open it and save it anew",
    "not an image": "convert it to JPEG or PNG",
    "unsupported": "convert it to 8 bits a channel, RGB",
    "colour profile": "remove the profile if the colours are sRGB, or convert the image to sRGB",
    "too large": "raise ingest.max_megapixels, or shrink the image",
    "too small": "leave it out: a side of 7 pixels is the least",
}
UNKNOWN = "see the detail in the quarantine"  # of a reason that a decoder gives in its own words
EXAMPLES = 3

Fault = dict[str, str]


def fault(reason: str, *, image_id: str = "", file: str = "", detail: str = "") -> Fault:
    """Make a row of the quarantine; the reason is one of `REASONS`."""
    return {"image_id": image_id, "file": file, "reason": reason, "detail": detail}


def describe(faults: Sequence[Mapping[str, str]]) -> list[str]:
    """Say each reason with its count, three examples, and what mends it; the most frequent first.

    Parameters
    ----------
    faults : sequence of mapping
        ``image_id``, ``file``, ``reason``, ``detail`` each.

    Returns
    -------
    list of str
        A line a reason.
    """
    groups: dict[str, list[Mapping[str, str]]] = {}
    for each in faults:
        groups.setdefault(each["reason"], []).append(each)
    lines = []
    for reason, found in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        examples = _received(found) if reason in DETAILED else [_name(each) for each in found]
        more = ", …" if len(examples) > EXAMPLES else ""
        shown = ", ".join(examples[:EXAMPLES])
        lines.append(f"{len(found)} × {reason}: {shown}{more}; {REASONS.get(reason, UNKNOWN)}")
    return lines


def _name(each: Mapping[str, str]) -> str:
    return each["file"] or each["image_id"] or each["detail"].partition(":")[0]


def _received(found: Sequence[Mapping[str, str]]) -> list[str]:
    """Say what was received how often, the most frequent first, with an example each."""
    counts = Counter(each["detail"].partition("; ")[0] for each in found)
    first = {each["detail"].partition("; ")[0]: _name(each) for each in reversed(found)}
    return [f"{what} {count} × (as {first[what]})" for what, count in counts.most_common()]


# Reasons whose details say more than the names do: up to the first semicolon.
DETAILED = {"diagnosis in no class", "bad age", "ending not read"}
