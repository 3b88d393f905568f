"""A fair order of images: every part of it holds each stratum in proportion."""

import heapq
from collections.abc import Sequence

import numpy as np


def stratified_order(strata: Sequence[str], *, seed: int) -> list[int]:
    """Order images so that for every n the first n hold each stratum in proportion.

    Image j (from 0) of a stratum that is the share p of all may take the places floor(j / p) to
    ceil((j + 1) / p) - 1. Each place goes to the image, of those that may, whose last place comes
    first: that meets every deadline if any order does. One does, as each image can be spread evenly
    over [j / p, (j + 1) / p), which fills every place just once, and such shares can be rounded to
    an order (Birkhoff). So the first n hold floor(n p) or ceil(n p) of each stratum.

    Parameters
    ----------
    strata : sequence of str
        Each image's stratum.
    seed : int
        Decides which image of a stratum comes when. Which stratum does, follows from their sizes.

    Returns
    -------
    list of int
        A permutation of the positions in `strata`.
    """
    generator = np.random.default_rng(seed)
    members: dict[str, list[int]] = {}
    for position, stratum in enumerate(strata):
        members.setdefault(stratum, []).append(position)
    total = len(strata)
    coming = []  # (first place, place before which it must stand, stratum, position)
    for stratum, positions in sorted(members.items()):
        size = len(positions)
        for j, position in enumerate(generator.permutation(positions)):
            coming.append((j * total // size, -(-(j + 1) * total // size), stratum, int(position)))
    coming.sort(reverse=True)
    order: list[int] = []
    waiting: list[tuple[int, str, int]] = []
    for place in range(total):
        while coming and coming[-1][0] <= place:
            heapq.heappush(waiting, coming.pop()[1:])
        order.append(heapq.heappop(waiting)[2])
    return order
