"""Which of several axes has the channels, where they are set apart or laid together."""

from collections.abc import Callable, Iterator

from slimderm.components.model_graph.channel_labels import FIXED, Coupling, Labels
from slimderm.components.model_graph.groups import freedom

Choices = dict[str, int]  # an axis for each path


def best(follow: Callable[[Choices], Coupling]) -> Coupling:
    """Follow a model; try other axes for channels that are set apart and that then must stay.

    Of all at once, of those inside one layer, and one by one: queries, keys and values lose heads
    together or not at all.

    Parameters
    ----------
    follow : callable
        Follows the model with an axis for each path of what sets channels apart; the last axis
        where none is given.
    """
    choices: Choices = {}
    found = follow(choices)
    for tried in _together(found):
        if _stuck(found.parted, found).keys() & tried.keys():
            other = follow({**choices, **tried})
            if _num_free(other) > _num_free(found):
                found, choices = other, {**choices, **tried}
    for path, axes in _stuck({**found.parted, **found.laid}, found).items():
        for axis in axes[-2::-1]:
            other = follow({**choices, path: axis})
            if _num_free(other) > _num_free(found):
                found, choices = other, {**choices, path: axis}
    return found


def _together(coupling: Coupling) -> Iterator[Choices]:
    """Yield choices of another axis for all that sets channels apart, and for each layer's."""
    by_layer: dict[str, Choices] = {}
    for path, (axes, _) in coupling.parted.items():
        by_layer.setdefault(path.rpartition("/")[0], {})[path] = axes[-2]
    if len(by_layer) > 1:
        yield {path: axis for choices in by_layer.values() for path, axis in choices.items()}
    yield from by_layer.values()


def _stuck(
    entries: dict[str, tuple[tuple[int, ...], Labels]], coupling: Coupling
) -> dict[str, tuple[int, ...]]:
    """Return the axes of what must keep all its channels, by their paths."""
    _, coupled_of, free = freedom(coupling)
    return {
        path: axes
        for path, (axes, labels) in entries.items()
        if not free[coupled_of[labels[labels != FIXED]]].any()
    }


def _num_free(coupling: Coupling) -> int:
    """Count the channels of all layers that may go."""
    _, coupled_of, free = freedom(coupling)
    return sum(int(free[coupled_of[made.labels]].sum()) for made in coupling.producers.values())
