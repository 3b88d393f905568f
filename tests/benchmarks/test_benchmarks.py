"""Every benchmark runs on tiny input, and its last line has the keys that its docstring names."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from slimderm.components.dataset.settings import SyntheticSettings
from slimderm.components.dataset.synthetic import write_synthetic

ROOT = Path(__file__).parents[2]
PEER = ROOT / ".cache/benchmarks/torch/.installed"  # torch-pruning, once a benchmark installed it

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def run(name, *arguments):
    """Run a benchmark as its docstring says; return the object of its last line."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": programs, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("PREFECT_API_URL", None)
    command = [sys.executable, "-W", "ignore", f"benchmarks/{name}.py", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def positive(found):
    """Whether all numbers in a (nested) object are finite and above zero."""
    if isinstance(found, dict):
        return all(map(positive, found.values()))
    if isinstance(found, list):
        return all(map(positive, found))
    return np.isfinite(found) and found > 0


@pytest.fixture
def images(tmp_path):
    """Two small photographs of waves."""
    folder = tmp_path / "images"
    folder.mkdir()
    down, right = np.mgrid[:48, :64]
    for index in range(2):
        waves = [
            128 + 60 * np.sin(right / (5 + c + index)) + 40 * np.cos(down / 7) for c in (0, 1, 2)
        ]
        cv2.imwrite(str(folder / f"{index}.jpg"), np.stack(waves, axis=2))
    return folder


def test_sweep(images):
    tiny = ["--images", 2, "--ranks", 12, 24, 48, "--k", 24, "--batch", 4, "--rounds", 1]
    found = run("sweep", images, *tiny, "--stream", 3, 5)
    assert found.keys() == {
        "ratio_one_core_vs_naive",
        "ratio_one_core_vs_one_svd",
        "scaling_two_cores",
        "scaling_limit",
        "write_over_parts",
        "peak_mb_3",
        "peak_mb_5",
        "images",
    }
    assert found["images"] == 2
    assert positive(found)


def test_noise(images, tmp_path):
    assert run("noise", images, tmp_path / "noisy", "--sigma", 2) == {"images": 2, "sigma": 2.0}
    for path in images.iterdir():
        before, after = (
            cv2.imread(str(file)).astype(float) for file in (path, tmp_path / "noisy" / path.name)
        )
        assert 1.5 < (after - before).std() < 2.5


def test_sampling(tmp_path):
    """Images that are all alike: the smallest sample that may be taken finds the same k."""
    from slimderm.components.quality.settings import ChooseSettings

    metrics = ChooseSettings().metrics
    rows = [
        {"image_id": f"i{image:03}", "arm": "svd", "k": k, "stage": stage}
        | dict.fromkeys(metrics, 1 - 1 / k)
        for image in range(40)
        for k in (10, 20, 30, 40)
        for stage in ("before", "after")
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "table.csv", index=False)
    strata = pd.DataFrame({"image_id": [f"i{image:03}" for image in range(40)], "dx": "nv"})
    strata.to_csv(tmp_path / "metadata.csv", index=False)
    tiny = ["--seeds", 2, "--chunk", 8, "--min-images", 16]
    found = run("sampling", tmp_path / "table.csv", "--metadata", tmp_path / "metadata.csv", *tiny)
    stages = found.pop("stages")
    assert found == {
        "same_k": 1.0,
        "share_used_median": 0.4,
        "share_used_max": 0.4,
        "images": 40,
    }
    for stage in stages:
        assert stage.keys() == {*found, "stage", "k", "used_median", "used_max"}
        assert stage["used_max"] == 16


def test_tolerance(tmp_path):
    """Half of the images gain 3 % of the range beyond k = 20, the other half nothing."""
    from slimderm.components.quality.settings import ChooseSettings

    quality = {10: (0.0, 0.0), 20: (0.97, 1.0), 30: (1.0, 1.0)}
    rows = [
        {"image_id": f"i{image:03}", "arm": "svd", "k": k, "stage": stage}
        | dict.fromkeys(ChooseSettings().metrics, quality[k][image % 2])
        for image in range(40)
        for k in quality
        for stage in ("before", "after")
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "table.csv", index=False)
    found = run("tolerance", tmp_path / "table.csv", "--samples", 50)
    assert found["images"] == 40
    choices = {(row["stage"], row["tolerance"]): row for row in found["choices"]}
    assert len(choices) == 8
    assert choices["after", 0.01]["k"] == 30  # 1.5 % on average
    assert choices["after", 0.02]["k"] == 20
    assert choices["after", 0.05]["shares"] == {"20": 1.0}
    assert sum(choices["before", 0.02]["shares"].values()) == pytest.approx(1)


def test_training():
    tiny = ["--network", "custom1", "--size", 48, "--batch", 2, "--steps", 1]
    found = run("training", *tiny)
    assert found.keys() == {"step_ratio", "first_step_ratio"}
    assert positive(found)


def test_best_epoch(tmp_path):
    drawn = SyntheticSettings(num_lesions=60, num_negatives=0, height=60, width=80)
    write_synthetic(tmp_path / "data", drawn)
    tiny = ["--seeds", 1, "--epochs", 2, "--images", 9, "--size", 32, 24]
    found = run("best_epoch", tmp_path / "data", *tiny, "--keep", tmp_path / "kept")
    assert found.keys() == {"gap", "rules"}
    assert all(0 <= rule["mean"] <= 1 for rule in found["rules"].values())
    assert len(list((tmp_path / "kept").iterdir())) == 2  # a constant rate and one that falls
    assert run("best_epoch", tmp_path / "data", *tiny, "--keep", tmp_path / "kept") == found


def test_metadata_branch(tmp_path):
    drawn = SyntheticSettings(num_lesions=60, num_negatives=0, height=60, width=80)
    write_synthetic(tmp_path / "data", drawn)
    found = run("metadata_branch", tmp_path / "data", "--seeds", 2, "--epochs", 1, "--images", 9)
    assert found["seeds"] == 2
    assert found["dead_fresh"] == found["dead_trained"] == 0
    assert 0 < found["spread_trained"] <= found["spread_trained_median"]
    assert found["spread_fresh"] > 0.05


def test_watch(tmp_path):
    # 60 % of the lesions are the pool, which holds 500 inputs and lesions to compare them with.
    drawn = SyntheticSettings(num_lesions=1000, num_negatives=0, height=24, width=32)
    write_synthetic(tmp_path / "data", drawn)
    tiny = ["--draws", 2, "--shifted-draws", 1, "--epochs", 1, "--images", 900]
    found = run("watch", tmp_path / "data", *tiny)
    assert found["false_alarms"].keys() == {"100", "500"}
    assert found["power"].keys() >= {"darker by 20 %", "blurred, sigma 0.8 px"}
    assert found["power"]["darker by 20 %"].keys() == {"50", "100", "200"}
    shares = [share for sizes in found["power"].values() for share in sizes.values()]
    assert all(0 <= share <= 1 for share in [*shares, *found["false_alarms"].values()])


def write_digits(folder, number):
    """Write images and labels in the form of MNIST's files."""
    generator = np.random.default_rng(0)
    for part in ("train", "t10k"):
        pixels = generator.integers(0, 256, (number, 784), dtype=np.uint8)
        digits = np.arange(number, dtype=np.uint8) % 10
        for kind, head, values in (("images-idx3", 16, pixels), ("labels-idx1", 8, digits)):
            packed = gzip.compress(bytes(head) + values.tobytes())
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(packed)


@pytest.mark.parametrize(
    ("study", "expected"),
    [
        ("quantised", {"float32", "4 bits", "4 bits, trained"}),
        ("recipe_lenet5", {"float32", "pruned", "zeros"}),
        ("miracle_lenet300", {"float32", "codes of 1250 bytes"}),
    ],
)
def test_each_study_of_mnist_begins(study, expected, tmp_path):
    write_digits(tmp_path, 40)
    options = ["--epochs", 1, "--images", 40, "--cache", tmp_path / "kept"]
    rows = run("mnist", tmp_path, study, *options)["rows"]
    assert expected <= set(rows)
    for row in rows.values():
        assert 0 <= row["error"] <= 100


def test_mnist(tmp_path):
    write_digits(tmp_path, 60)
    options = ["--epochs", 1, "--images", 60, "--cache", tmp_path / "kept"]
    rows = run("mnist", tmp_path, "deep_lenet300", *options)["rows"]
    assert rows["float32"]["bytes"] == 4 * 266_610
    assert rows["2 bits"]["bytes"] < rows["4 bits"]["bytes"]
    assert rows["2 bits"]["times"] == pytest.approx(4 * 266_610 / rows["2 bits"]["bytes"])
    rows = run("mnist", tmp_path, "xnor", *options)["rows"]
    assert rows["XNOR, by counting bits"] == rows["XNOR"]
    assert rows["XNOR"]["times"] > 2  # the first layer stays float


def test_xrays(tmp_path):
    rows = []
    for index, fold in enumerate(["train"] * 12 + ["val"] * 8 + ["test"] * 8):
        label = ("NORMAL", "PNEUMONIA")[index % 2]
        image = np.full((40, 40), 60 + 120 * (index % 2) + index, np.uint8)
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
        rows.append((f"{index}.png", fold, label, index // 2))
    columns = ["file", "fold", "label", "patient"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "images.csv", index=False)
    options = ["--epochs", 1, "--size", 32, "--images", 12, "--cache", tmp_path / "kept"]
    found = run("xrays", tmp_path, *options)
    assert found.keys() == {"PNEUMONIA, always", "vgg", "grid of 4 bits"}
    assert found["PNEUMONIA, always"]["sensitivity"] == [1, 1, 1]
    assert 6 < found["vgg"]["slim_bytes"] / found["grid of 4 bits"]["slim_bytes"] < 8
    low, high = found["vgg"]["auroc"][1:]
    assert 0 <= low <= found["vgg"]["auroc"][0] <= high <= 1


def test_pruning():
    """Our side; beside torch-pruning where the benchmark has installed it."""
    ours = {
        "plan_s",
        "keras_build_s",
        "total_s",
        "total_over_keras_build",
        "speedup_keras",
        "speedup_masks",
        "speedup_litert",
        "speedup_masks_litert",
        "ms",
        "params",
    }
    both = {"torch_build_s", "torch_step_s", "speedup_torch", "params_torch", "plan_ratio"}
    tiny = ["--architecture", "MobileNetV2", "--size", 32, "--repeats", 1, "--seconds", 0.1]
    only = [] if PEER.exists() else ["--only", "keras"]
    found = run("pruning", *tiny, *only)
    assert found.keys() == {"MobileNetV2"}
    row = found["MobileNetV2"]
    assert row.keys() == (ours | both if PEER.exists() else ours)
    assert positive(row)
    assert row["params"][1] < row["params"][0]


def test_pruning_light():
    """Parameters and planning alone, of a network that is written for the benchmark."""
    tiny = ["--architecture", "regnet_y_400mf", "--size", 32, "--repeats", 1]
    row = run("pruning", *tiny, "--light", "--only", "keras")["regnet_y_400mf"]
    assert row.keys() == {"plan_s", "params"}
    assert row["params"] == [4_344_144, 1_205_092]  # torchvision's, and what torch-pruning leaves


if PEER.exists():  # all of it trains in PyTorch; what needs none is in test_pruning_accuracy.py

    def test_pruning_accuracy(tmp_path):
        drawn = SyntheticSettings(num_lesions=150, num_negatives=0, height=48, width=64)
        write_synthetic(tmp_path / "data", drawn)
        tiny = ["--seeds", 1, "--epochs", 1, "--more", 1, "--number", 140, "--ways", 1]
        tiny += ["--size", 32, 48, "--seconds", 0.1, "--keep", tmp_path / "kept"]
        picture = tmp_path / "picture.png"
        options = [tmp_path / "data", *tiny, "--picture", picture]
        found = run("pruning_accuracy", *options)
        assert len(found["pilot"]) == 12
        assert len(found["rows"]) == 2 + 3 * 4
        assert len(found["ours_minus_theirs"]) == 4
        assert 0 < found["deviation"] < 1e-4
        for row in found["rows"][2:]:
            budget = row["share"] * found["rows"][0]["multiply_accumulates"]
            assert 0.6 * budget < row["multiply_accumulates"] <= budget
            assert row["verdict"] in {"non-inferior", "inferior", "inconclusive"}
        assert picture.stat().st_size > 1000
        assert run("pruning_accuracy", *options) == found  # what is kept is not done again


def test_gallery(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table -->\nold\n<!-- end of table -->\nafter\n")
    (tmp_path / "images").mkdir()
    found = run("gallery", "--page", page, "--repeats", 1, "--only", "Autoencoder")
    row = found["Autoencoder"]
    measures = {"parameters", "multiply_accumulates", "bytes", "ms"}
    assert row.keys() == {*measures, "deviation"}
    assert row["deviation"] < 1e-4
    assert positive({name: row[name] for name in measures})
    assert row["parameters"][1] < 0.3 * row["parameters"][0]
    text = page.read_text()
    assert "old" not in text
    assert "pruned = prune(model, ratio=0.5)" in text
    assert (tmp_path / "images/gallery.png").stat().st_size > 1000


def test_many_models(tmp_path):
    options = ["MobileNetV3Small", "--backends", "tensorflow", "--keep", tmp_path]
    found = run("many_models", *options)
    assert found.keys() == {"models", "not_tried", "tensorflow"}
    assert (found["models"], found["not_tried"]) == (1, 0)
    assert found["tensorflow"].keys() == {"held", "refused", "failed", "worst"}
    assert found["tensorflow"]["held"] == 1
    assert found["tensorflow"]["worst"] < 1e-4
    assert run("many_models", *options) == found  # what is kept is not done again


def test_peers_without_the_packages():
    command = [sys.executable, "-W", "ignore", "benchmarks/peers.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for package in ("kimm", "keras_hub"):
        assert f"{package} is left out" in done.stderr


def test_orchestration():
    tiny = ["--images", 30, "--height", 60, "--small-height", 60, "--repeats", 1]
    found = run("orchestration", *tiny)
    assert found.keys() == {"overhead", "cold_s", "noop_repro_s", "noop_imports_tensorflow"}
    assert found["cold_s"].keys() == {"server", "no_server"}
    assert positive(found["cold_s"])
    assert positive(found["noop_repro_s"])
    assert found["overhead"] > -1
    assert found["noop_imports_tensorflow"] is False


def test_operating_characteristics(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table -->\nold\n<!-- end of table -->\nafter\n")
    found = run("operating_characteristics", "--page", page, "--repeats", 3, "--sizes", 30)
    assert found.keys() == {"equal_passes_225", "worse_passes_225", "rows"}
    assert positive(found)
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert text.count("\n| 30 | ") == found["rows"] == 3


def test_network_compression():
    found = run("network_compression", "--repeats", 1, "--channels", 32)
    assert found.keys() == {
        "tucker_ratio",
        "tucker_error_ratio",
        "decode_ratio",
        "decode_ms",
        "low_rank_ratio",
        "popcount_ratio",
        "packed_ratio",
        "huffman_ratio",
    }
    assert positive(found)
    assert found["tucker_error_ratio"] < 1.01
