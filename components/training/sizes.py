"""What the paper's 444 MB, under 10 MB and 5 % would have to be: sizes at every input size."""

from collections.abc import Callable, Sequence

import pandas as pd

from slimderm.components.training.counts import count_parameters
from slimderm.components.training.networks import get

# Section 3 names them in passing and not always height first; here they are (height, width).
INPUT_SIZES = ((200, 100), (256, 256), (300, 300), (450, 150), (300, 600), (450, 600))
NUM_HALVINGS = 5
BYTES = 4  # float32
MEGA = 1e6
COLUMNS = [
    "network", "height", "width", "halvings", "parameters", "share_of_parameters", "weights_mb",
    "with_adam_mb",
]  # fmt: skip

Halve = Callable[[tuple[int, ...]], tuple[int, ...]]


def size_table(networks: Sequence[str], *, num_classes: int, halve: Halve) -> pd.DataFrame:
    """Count parameters and megabytes of each network at each input size and each halving.

    Parameters
    ----------
    networks : sequence of str
        Keys of `slimderm.components.training.networks.NETWORKS`.
    num_classes : int
        Units of the softmax.
    halve : callable
        Widths to the widths after one pruning iteration of 50 %.

    Returns
    -------
    DataFrame
        Columns network, height, width, halvings, parameters, share_of_parameters (of the unpruned
        network at this input size), weights_mb (float32, 10^6 bytes), with_adam_mb (weights and
        Adam's two moments of the trainable ones).
    """
    rows = []
    for name in networks:
        for height, width in INPUT_SIZES:
            convolutions, dense = get(name).convolutions, tuple(get(name).dense)
            whole = 0
            for halvings in range(NUM_HALVINGS + 1):
                count = count_parameters(
                    name,
                    num_classes=num_classes,
                    input_shape=(height, width),
                    convolutions=convolutions,
                    dense=dense,
                )
                whole = whole or count.total
                rows.append(
                    {
                        "network": name,
                        "height": height,
                        "width": width,
                        "halvings": halvings,
                        "parameters": count.total,
                        "share_of_parameters": count.total / whole,
                        "weights_mb": BYTES * count.total / MEGA,
                        "with_adam_mb": BYTES * (count.total + 2 * count.trainable) / MEGA,
                    }
                )
                convolutions, dense = halve(convolutions), halve(dense)
    return pd.DataFrame(rows, columns=COLUMNS)
