"""`from slimderm import …`: in this environment, with little installed, and from a wheel."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import slimderm

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

MODEL = """
import keras
import numpy as np

keras.utils.set_random_seed(0)
image = keras.Input((16, 12, 3))
x = keras.layers.Conv2D(8, 3, padding="same", name="stem")(image)
x = keras.layers.BatchNormalization(name="norm")(x)
x = skip = keras.layers.ReLU()(x)
x = keras.layers.Conv2D(8, 3, padding="same", name="branch")(x)
x = keras.layers.Add()([x, skip])
x = keras.layers.GlobalAveragePooling2D()(x)
model = keras.Model(image, keras.layers.Dense(4, activation="softmax", name="head")(x))
"""

PRUNE = """
from slimderm import Budget, Limits, ParameterError, Pruned, Report, __version__, prune, replay

pruned = prune(model, ratio=0.5, limits=Limits(keep=["head"]))
assert isinstance(pruned, Pruned) and isinstance(pruned.report, Report)
assert pruned.report.widths == {"stem": (8, 4), "branch": (8, 4), "head": (4, 4)}, pruned.report
assert prune(model, budget=Budget("parameters", 400)).model.count_params() <= 400
for one, other in zip(replay(model, pruned.log).get_weights(), pruned.model.get_weights()):
    assert (one == other).all()
try:
    prune(model, ratio=2)
except ParameterError:
    print(__version__)
"""

SAVE = """
inputs = np.random.default_rng(0).random((5, 16, 12, 3), "float32")
pruned.model.compile("adam", "categorical_crossentropy")
pruned.model.fit(inputs, np.eye(4)[[0, 1, 2, 3, 0]], verbose=0)
pruned.model.save("small.keras")
np.savez("outputs.npz", inputs=inputs, outputs=pruned.model.predict(inputs, verbose=0))
try:
    from slimderm import compress
except ImportError as error:
    print(error)
"""

RELOAD = """
import sys
sys.modules["slimderm"] = None  # to import it is an error
import keras
import numpy as np
saved = np.load("outputs.npz")
outputs = keras.models.load_model("small.keras").predict(saved["inputs"], verbose=0)
np.testing.assert_allclose(outputs, saved["outputs"], rtol=0, atol=1e-6)
print(keras.backend.backend())
"""

BLOCK = """
import json
import sys

blocked = set(json.loads(sys.argv[1]))

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""


def run(python, code, *arguments, folder, **more):
    """Run code with nothing of this clone around but what `more` names."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [str(python), "-W", "ignore", "-c", code, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment | more, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def closure(*names):
    """What these distributions need, extras left out, and they themselves."""
    found, waiting = set(), list(names)
    while waiting:
        name = re.sub("[-_.]+", "-", waiting.pop()).lower()
        if name not in found:
            found.add(name)
            needs = [Requirement(line) for line in requires(name) or ()]
            waiting += [
                need.name
                for need in needs
                if not need.marker or need.marker.evaluate({"extra": ""})
            ]
    return found


@pytest.fixture(scope="module")
def absent():
    """Modules that only the platform or a developer needs."""
    base = [Requirement(line).name for line in PROJECT["dependencies"]]
    needed = closure(*base, "tensorflow") - {"pillow"}  # TensorBoard's
    blocked = {
        module
        for module, names in packages_distributions().items()
        if not {re.sub("[-_.]+", "-", name).lower() for name in names} & needed
    }
    assert {"cv2", "PIL", "pandas", "psutil", "prefect", "mlflow", "grimp"} <= blocked
    return json.dumps(sorted(blocked))


def test_the_face_says_one_thing_to_all_who_read_it():
    tree = ast.parse(Path(slimderm.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted([*typed, "__version__"]) == slimderm.__all__
    for name, (module, attribute) in typed.items():
        found = getattr(slimderm, name)
        assert found is getattr(sys.modules[module], attribute)
        assert found.__doc__
    assert set(slimderm.__all__) <= set(dir(slimderm))
    assert slimderm.__version__ == PROJECT["version"]
    with pytest.raises(AttributeError, match="nothing"):
        _ = slimderm.nothing


def test_to_import_the_face_loads_nothing_heavy(tmp_path):
    code = "import slimderm, sys; print('keras' in sys.modules, 'numpy' in sys.modules)"
    assert run(sys.executable, code, folder=tmp_path, PYTHONPATH=str(ROOT)).split() == ["False"] * 2


def test_pruning_needs_keras_numpy_scipy_and_a_backend(tmp_path, absent):
    page = (ROOT / "docs/prune-your-own.md").read_text()
    modules = set(re.findall(r"^from (slimderm\S*) import ", page, flags=re.M))
    assert modules
    imports = "".join(f"import {module}\n" for module in sorted(modules))
    code = BLOCK + MODEL + imports + PRUNE + SAVE
    said = run(sys.executable, code, absent, folder=tmp_path, PYTHONPATH=str(ROOT))
    assert said.splitlines() == [
        PROJECT["version"],
        "compress needs cv2: pip install 'slimderm[platform]'",
    ]


def test_a_backend_that_is_not_installed_is_named(tmp_path):
    code = "try:\n    from slimderm import prune\nexcept ImportError as error:\n    print(error)"
    said = run(sys.executable, code, folder=tmp_path, PYTHONPATH=str(ROOT), KERAS_BACKEND="jax")
    assert said.startswith("prune needs jax: install one of tensorflow, jax, torch")


@pytest.fixture(scope="module")
def wheel(make_workspace, tmp_path_factory):
    """The wheel of the repository as it stands."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["python", "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    make_workspace().run(*build)
    (found,) = folder.glob("*.whl")
    return found


@pytest.mark.slow
def test_the_wheel_holds_slimderm_alone_and_all_of_it(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    own = {
        name for name in names if not name.startswith(f"slimderm-{PROJECT['version']}.dist-info/")
    }
    kept = ["git", "ls-files", "-co", "--exclude-standard", "components", "flows"]
    listed = subprocess.run(kept, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    there = {f"slimderm/{name}" for name in listed.splitlines() if (ROOT / name).is_file()}
    face = {f"slimderm/{path.name}" for path in (ROOT / "slimderm").iterdir() if path.is_file()}
    assert own == there | face


@pytest.mark.slow
@pytest.mark.timeout(900)  # PyTorch and the CUDA libraries that it cannot be imported without: 4 GB
@pytest.mark.parametrize(
    ("installed", "backend"), [("jax", "jax"), ("torch", "torch"), ("oldest", "jax")]
)
def test_a_stranger_prunes_with_the_wheel_and_one_backend(wheel, installed, backend, tmp_path):
    environment = tmp_path / "environment"
    python = environment / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    lock = ROOT / "tests" / f"{installed}.lock"
    into = ["--quiet", "--python", python]
    for command in (
        [sys.executable, "-m", "venv", "--without-pip", environment],
        [uv, "pip", "sync", *into, "--require-hashes", lock],
        [uv, "pip", "install", *into, "--no-index", wheel],  # what it needs is there
    ):
        subprocess.run([str(part) for part in command], cwd=tmp_path, check=True)
    own = {"folder": tmp_path, "KERAS_BACKEND": backend}
    version, refusal = run(python, MODEL + PRUNE + SAVE, **own).splitlines()
    assert version == PROJECT["version"]
    assert refusal == "compress needs cv2: pip install 'slimderm[platform]'"
    assert run(python, RELOAD, **own).split() == [backend]
