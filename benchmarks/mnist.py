"""Network compression on MNIST: networks of few numbers, and files of few bytes.

::

    python benchmarks/mnist.py DATA STUDY [--seeds 3] [--epochs 10] [--shift 2]

DATA holds MNIST's four ``idx.gz`` files. All training images are trained on, with ``--shift`` each
moved at random in each epoch, and all test images judged. Settings stand in ``digit_studies.py``.
Finished trainings are found again in ``--cache``.

``low_rank``: 784-5×1024-10, its hidden layers of rank D by plain and by data-aware SVD, without
training, then D = 20 trained on for three epochs beside the control, the whole network trained on
as long. ``deep_lenet300`` and ``deep_lenet5``: Deep Compression, as `.slim` files. ``xnor``:
784-3×512-10 whose two inner layers have binary weights, then binary inputs, too, beside the control
trained on as long.
``dynamic``: D = 20 trained through the truncation by each gradient. ``recipe_lenet5``: channels
pruned first, then Deep Compression. ``quantised``: LeNet-5 on grids of 8 to 2 bits, as it is and
trained there. ``miracle_lenet300`` and ``miracle_lenet5``: minimal random codes, as `.slim` files;
hours. ``miracle_pruned``: channels of LeNet-5 pruned first; an hour.

A table comes first. The last line is one JSON object.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.compression_study import Part, Row, Study, Trainer, arguments
from benchmarks.digit_studies import STUDIES
from benchmarks.digits import read


def main() -> None:
    """Print a row for each compressed network, means over seeds, then one line of JSON."""
    parser = arguments(__doc__.partition("\n")[0], epochs=10, cache="mnist")
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--shift", type=int, default=0, help="pixels that images move in training")
    options = parser.parse_args()
    train, test = (
        Part(*(values[: options.images] for values in read(options.data, part)))
        for part in ("train", "t10k")
    )
    found: dict[str, list[Row]] = {}
    for seed in range(options.seeds):
        for row in STUDIES[options.study](
            Study(options, seed, Trainer(train, shift=options.shift), test)
        ):
            found.setdefault(row.pop("what"), []).append(row)
            print(f"seed {seed}: {row}", file=sys.stderr, flush=True)
    means = {
        what: {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        for what, rows in found.items()
    }
    names = list(next(iter(means.values())))
    print(f"{'':40}" + "".join(f"{name:>14}" for name in names) + f"{'error, seeds':>20}")
    for what, row in means.items():
        spread = [each["error"] for each in found[what]]
        print(
            f"{what:40}"
            + "".join(f"{row[name]:14,.2f}" for name in names)
            + f"{min(spread):12.2f} to {max(spread):.2f}"
        )
    print(json.dumps({"study": options.study, "seeds": options.seeds, "rows": means}))


if __name__ == "__main__":
    main()
