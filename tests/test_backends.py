"""JAX and PyTorch as Keras's backend: pruner and passes without TensorFlow.

On JAX the whole pipeline.
"""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PROOF = """
import sys
import keras
import numpy as np
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.criteria.base import ScoringInputs
from slimderm.components.pruning.importance import importance
from slimderm.components.pruning.masks import apply_masks, magnitude_masks, sparsity
from slimderm.components.pruning.proof import deviation, randomise, verify, without_softmax
from slimderm.components.pruning.pruner import prune
from slimderm.components.pruning.sparse_training import GroupLasso
from slimderm.components.training.build import build

assert keras.backend.backend() == sys.argv[1]

# A layer of each kind that reads or makes channels, and of each that brings them together.
def kinds():
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    x = layers.Normalization(mean=[1, 2, 3], variance=[1, 2, 3])(layers.Rescaling(0.5)(image))
    x = layers.PReLU(shared_axes=[1, 2])(layers.Conv2D(8, 3, padding="same")(x))
    x = layers.BatchNormalization(scale=False)(layers.ZeroPadding2D(1)(x))
    x = layers.MaxPooling2D(2)(layers.DepthwiseConv2D(3, depth_multiplier=2)(x))
    x = layers.SeparableConv2D(12, 3, padding="same", activation="silu")(x)
    y = layers.Conv2D(12, 3, padding="same", groups=4)(layers.Conv2D(8, 1)(x))
    gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
    y = layers.Multiply()([y, layers.Conv2D(12, 1, activation="hard_sigmoid")(gate)])
    x = layers.Add()([x, y]) * 0.5
    x = layers.Concatenate()([x, layers.AveragePooling2D(3, 1, "same")(layers.Conv2D(6, 1)(x))])
    x = layers.UpSampling2D(2)(layers.Conv2DTranspose(10, 2, 2)(x))
    x = layers.Dense(7, activation="tanh")(layers.Flatten()(layers.GlobalMaxPooling2D()(x)))
    return keras.Model(image, layers.Dense(4, activation="softmax")(x))


# On TensorFlow tests/components/pruning/test_proof.py shows it of Keras's applications.
models = {"a layer of each kind": kinds()}
for name in ("lenet5", "alexnet", "custom1", "custom2"):
    models[name] = build(name, num_classes=4, input_shape=(48, 32))
for name, model in models.items():
    model = without_softmax(model)
    randomise(model, seed=1)
    graph = trace(model)
    random = np.random.default_rng(0)
    assert not graph.barriers, name
    keep = np.ones(graph.num_coupled, bool)
    for group in graph.groups:
        free = group.coupled[group.free]
        if len(free) > 1:
            keep[random.permutation(free)[: len(free) // 2]] = False
    given = {t.name: random.uniform(0, 1, (2, *t.shape[1:])).astype("float32")
             for t in model.inputs}
    inputs = given if isinstance(model.input, dict) else next(iter(given.values()))
    off = deviation(graph, keep, inputs)
    print(name, off)
    assert off < 1e-4, name

# Where JAX runs attention, values are as wide as keys; elsewhere they are halved, too.
given = keras.Input((6, 16))
x = keras.layers.Dense(12)(given)
x = keras.layers.Add()([x, keras.layers.MultiHeadAttention(4, 8, name="attention")(x, x)])
x = keras.layers.Bidirectional(keras.layers.GRU(6))(keras.layers.LayerNormalization()(x))
model = keras.Model(given, keras.layers.Dense(3)(x))
randomise(model, seed=0)
pruned = prune(model, ratio=0.5, moving_statistics=True)
print("sequences", verify(model, pruned))
assert verify(model, pruned) < 1e-4
heads = pruned.model.get_layer("attention")
assert (heads.num_heads, heads.value_dim) == (2, 8 if sys.argv[1] == "jax" else 4)

model = build("custom2", num_classes=4, input_shape=(48, 32))
inputs = {"image": np.random.rand(4, 48, 32, 3).astype("float32") * 255,
          "metadata": np.random.rand(4, 3).astype("float32")}
targets = np.eye(4, dtype="float32")
looking = ("taylor", "fisher", "thinet", "activation", "apoz")
for criterion in (*looking, "l1", "bn_scale", "fpgm", "lamp"):
    graph = trace(model)
    scores = importance(ScoringInputs(graph, [(inputs, targets)]), criterion)
    assert np.isfinite(scores).all() and scores.max() > 0, criterion
pruned = prune(model, ratio=0.5, criterion="taylor", data=[(inputs, targets)]).model
before = [weight.copy() for weight in model.get_weights()]
alone = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8), keras.layers.Dense(2)])
alone.compile(keras.optimizers.SGD(0.0001), "mse")
length = np.linalg.norm(alone.layers[0].get_weights()[0], axis=0)
alone.fit(np.zeros((6, 4)), np.zeros((6, 2)), batch_size=2, verbose=0, callbacks=[GroupLasso(200)])
shorter = np.linalg.norm(alone.layers[0].get_weights()[0], axis=0)
assert np.allclose(shorter, np.maximum(length - 3 * 0.02, 0), atol=1e-4)
apply_masks(pruned, magnitude_masks(pruned, 0.6))
pruned.compile("adam", "categorical_crossentropy")
pruned.fit(inputs, targets, epochs=3, verbose=0)
assert abs(sparsity(pruned) - 0.6) < 0.01
for one, other in zip(before, model.get_weights(), strict=True):
    assert (one == other).all()
assert "tensorflow" not in sys.modules
print("all held")
"""


pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

# Tiny networks: JAX compiles them for longer than it computes them.
QUICK_COMPILING = {
    "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
}


def environment(folder, backend):
    """Make an environment that holds one backend and no TensorFlow; return its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    lock = ROOT / "tests" / f"{backend}.lock"
    install = ["pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(lock)]
    subprocess.run([str(Path(sys.executable).with_name("uv")), *install], check=True)
    return python


# What a backend could do otherwise: layers are followed on its symbolic tensors.
FOLLOWED = [
    f"tests/components/model_graph/test_{name}.py"
    for name in ("composite", "heads", "held", "language", "lengths", "own_weights")
]


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_pruner_and_passes_are_right(backend, tmp_path):
    python = str(environment(tmp_path / backend, backend))

    def run(*arguments, path=str(ROOT)):
        done = subprocess.run(
            [python, *arguments],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "KERAS_BACKEND": backend,
                "PYTHONPATH": path,
                **QUICK_COMPILING,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.rstrip()

    assert run("-c", PROOF, backend).endswith("all held")
    assert run("tests/passes_on_backend.py", backend).endswith("all held")
    # pytest, and what else our tests import, is the one of this environment.
    path = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
    run("-m", "pytest", "-p", "no:cacheprovider", "-m", "not slow", *FOLLOWED, path=path)


@pytest.mark.integration
def test_the_pipeline_trains_prunes_and_registers_on_jax(made_workspace, tiny, tmp_path):
    """What is installed beside JAX is the lock's, as on an agent."""
    python = environment(tmp_path / "jax", "jax")
    workspace = made_workspace()
    params = tiny.replace("epochs: 2", "epochs: 1")
    params = params.replace("max_images: 5", "max_images: 4")  # for resize, which builds networks
    params = params.replace('"R1: 50%", "R1: 33%"', '"R1: 50%"')
    (workspace.folder / "params.yaml").write_text(params)
    workspace.environment |= {
        "PATH": f"{python.parent}:{workspace.environment['PATH']}",
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "KERAS_BACKEND": "jax",
        **QUICK_COMPILING,
    }
    done = workspace.run("python", "-m", "slimderm", "run")
    stages = {"resize", "train@lenet5", "prune@lenet5", "register", "review", "report"}
    assert stages <= set(done.stdout.splitlines())
    assert "Warning" not in done.stdout + done.stderr
    image = str(sorted((workspace.folder / "data/raw/images").iterdir())[0])
    predict = ("python", "-m", "slimderm", "predict", image)
    shown = {}
    for backend in ("jax", "tensorflow"):  # what one trained, a colleague's other one reads
        said = workspace.run(*predict, KERAS_BACKEND=backend, SERVE_RUNS="keras").stdout
        shown[backend] = [float(number) for number in re.findall(r"\d+\.\d+", said)]
    assert shown["jax"]
    assert shown["jax"] == pytest.approx(shown["tensorflow"], abs=0.0011)  # shown to 0.001
