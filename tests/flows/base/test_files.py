import json

from slimderm.flows.base.files import file_hash, sources_hash, write_json


def test_a_hash_of_sources_tells_folders_apart(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text(name)
    assert sources_hash(tmp_path / "one") == sources_hash(tmp_path / "one")
    assert sources_hash(tmp_path / "one") != sources_hash(tmp_path / "two")
    assert sources_hash(tmp_path / "one/a.py") != sources_hash(tmp_path / "two/a.py")


def test_write_json_is_stable(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": 2})
    write_json(tmp_path / "b.json", {"a": 2, "b": 1})
    assert file_hash(tmp_path / "a.json") == file_hash(tmp_path / "b.json")
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 2, "b": 1}
