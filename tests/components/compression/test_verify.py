import hashlib
from pathlib import Path

import pandas as pd
import pytest

from slimderm.components.common.errors import SchemaError
from slimderm.components.compression.verify import verify


@pytest.fixture
def made(tmp_path):
    rows = []
    for name in ("a", "b", "c"):
        paths = {}
        for kind, suffix in (("raw", ".png"), ("stored", ".jpg")):
            path = tmp_path / kind / f"images/{name}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{kind} {name}".encode())
            paths[kind] = path
        digests = {
            kind: hashlib.sha256(path.read_bytes()).hexdigest() for kind, path in paths.items()
        }
        row = {"file": f"images/{name}.jpg", "source_file": f"images/{name}.png"}
        rows.append(row | {"sha256_before": digests["raw"], "sha256_after": digests["stored"]})
    (tmp_path / "stored/manifest.parquet").touch()
    (tmp_path / "stored/images/.d.jpg.draft").touch()
    return tmp_path, pd.DataFrame(rows)


def found(made, **more):
    folder, manifest = made
    table = verify(folder / "stored", manifest, own={"manifest.parquet"}, **more)
    return list(zip(table["file"], table["problem"], strict=True))


def test_all_is_well(made):
    seen = []
    assert found(made, source=made[0] / "raw", progress=seen.append) == []
    assert seen == [1, 2, 3]
    assert list(verify(made[0] / "stored", made[1])) == ["file", "problem", "detail"]


def test_everything_that_differs_is_named(made):
    folder, _ = made
    (folder / "stored/images/a.jpg").write_bytes(b"stored A")
    (folder / "stored/images/b.jpg").unlink()
    (folder / "stored/images/new.jpg").write_bytes(b"new")
    (folder / "raw/images/c.png").write_bytes(b"raw C")
    (folder / "raw/images/a.png").unlink()
    assert found(made, source=folder / "raw") == [
        ("images/a.jpg", "changed"),
        ("images/a.png", "source missing"),
        ("images/b.jpg", "missing"),
        ("images/c.png", "source changed"),
        ("images/new.jpg", "not in the manifest"),
    ]
    assert len(found(made)) == 3
    without = verify(folder / "stored", made[1])["file"]
    assert set(without) - {file for file, _ in found(made)} == {"manifest.parquet"}
    digest = hashlib.sha256(b"stored A").hexdigest()[:12]
    assert f"received {digest}" in verify(folder / "stored", made[1])["detail"].iloc[0]


@pytest.mark.parametrize("file", ["../secret.jpg", "/etc/passwd", "images/../../x"])
def test_a_manifest_that_points_outside_is_an_error(made, file):
    folder, manifest = made
    manifest.loc[1, "file"] = file
    with pytest.raises(SchemaError, match="expected a file inside"):
        verify(folder / "stored", manifest)


def test_a_manifest_without_its_columns_is_an_error(made):
    with pytest.raises(SchemaError, match="lacks sha256_after"):
        verify(Path(), made[1].drop(columns="sha256_after"))
