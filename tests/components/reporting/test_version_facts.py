"""The paragraph by which a version is told from others."""

from slimderm.components.evaluation.gates import Check
from slimderm.components.reporting.version_facts import accuracy_fact, gate_facts, headline

CHECKS = [
    Check("balanced_accuracy", passed=False, challenger=0.5, limit=-0.05, inconclusive=True),
    Check("bytes", passed=True, challenger=1, limit=2),
    Check("latency_ms", passed=True, challenger=1, limit=2),
]


def test_a_version_is_described_by_what_decides_first():
    tags = {"network": "lenet5", "notation": "R1", "gates": "inconclusive", **gate_facts(CHECKS)}
    tags |= {"balanced_accuracy": accuracy_fact(0.5125, (0.43, 0.6), "45 test images")}
    tags |= {"parameters": "92921", "keras.bytes": "410000", "keras.latency_p50_ms": "2.1"}
    tags |= {"edge.target": "litert-int8", "edge.bytes": "98000", "edge.latency_p50_ms": "0.321"}
    assert headline(tags) == (
        "Gates inconclusive: lenet5 R1 (inconclusive: balanced_accuracy; passed: bytes, "
        "latency_ms). Balanced accuracy 0.512 (0.430 to 0.600) on 45 test images. 92,921 "
        "parameters. Keras file, 410,000 bytes, 2.1 ms an image; shipped as litert-int8, 98,000 "
        "bytes, 0.32 ms an image."
    )


def test_what_is_not_known_is_left_out():
    assert headline({"network": "lenet5"}) == "Not judged yet: lenet5."
    tags = {"gates": "passed", "edge.target": "none", "keras.bytes": "5"}
    assert headline(tags) == "Gates passed: ?. Keras file, 5 bytes; nothing is shipped."
    assert gate_facts([])["gates.failed"] == "none"
