"""What a registered version's tags and the first paragraph of its page say of it."""

from collections.abc import Mapping, Sequence

from slimderm.components.evaluation.gates import FAILED, INCONCLUSIVE, PASSED, Check

NONE = "none"


def accuracy_fact(value: float, interval: Sequence[float] | None, measured_on: str) -> str:
    """Write balanced accuracy with its interval, and what it was measured on."""
    between = "" if interval is None else f" ({interval[0]:.3f} to {interval[1]:.3f})"
    return f"{value:.3f}{between} on {measured_on}"


def gate_facts(checks: Sequence[Check]) -> dict[str, str]:
    """Name the gates of each word, as tags ``gates.passed``, ``gates.failed`` and so on."""
    return {
        f"gates.{word}": ", ".join(check.name for check in checks if check.word == word) or NONE
        for word in (PASSED, FAILED, INCONCLUSIVE)
    }


def headline(tags: Mapping[str, str]) -> str:
    """Write the paragraph by which a version is told from others in MLflow's list.

    Parameters
    ----------
    tags : mapping
        The version's: ``network``, ``notation``; and what is known of ``gates`` and `gate_facts`,
        ``balanced_accuracy``, ``parameters``, ``keras.bytes``, ``keras.latency_p50_ms``,
        ``edge.target``, ``edge.bytes``, ``edge.latency_p50_ms``.

    Returns
    -------
    str
        One paragraph in plain text, for the list shows its beginning as it is; what decides first.
    """
    name = f"{tags.get('network', '?')} {tags.get('notation', '')}".strip()
    said = [_gates(tags, name)]
    if "balanced_accuracy" in tags:
        said.append(f"Balanced accuracy {tags['balanced_accuracy']}")
    if "parameters" in tags:
        said.append(f"{int(tags['parameters']):,} parameters")
    files = [_file("Keras file", tags, "keras")]
    if tags.get("edge.target", NONE) != NONE:
        files.append(_file(f"shipped as {tags['edge.target']}", tags, "edge"))
    elif "edge.target" in tags:
        files.append("nothing is shipped")
    said.append("; ".join(each for each in files if each))
    return ". ".join(sentence for sentence in said if sentence) + "."


def _gates(tags: Mapping[str, str], name: str) -> str:
    word = tags.get("gates")
    if word is None:
        return f"Not judged yet: {name}"
    named = [
        f"{each}: {names}"
        for each in (FAILED, INCONCLUSIVE, PASSED)
        if (names := tags.get(f"gates.{each}", NONE)) != NONE
    ]
    return f"Gates {word}: {name}" + (f" ({'; '.join(named)})" if named else "")


def _file(what: str, tags: Mapping[str, str], kind: str) -> str:
    if f"{kind}.bytes" not in tags:
        return ""
    said = f"{what}, {int(tags[f'{kind}.bytes']):,} bytes"
    time = tags.get(f"{kind}.latency_p50_ms")
    return said if time is None else f"{said}, {float(time):.2g} ms an image"
