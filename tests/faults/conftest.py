"""What is broken on purpose runs on this configuration, and what came of it is printed."""

import pytest
import yaml

SMALLER = {
    "synthetic": {"num_lesions": 40, "num_negatives": 8},
    "sweep": {"chunk_size": 8},  # more places to be killed at
    "storage": {"max_images": 2, "qualities": {"jpeg": [60, 95]}, "bootstrap_samples": 50},
    "resize": {"max_images": 2},
    "prune": {"path": ["R1: 50%"]},
}


@pytest.fixture(scope="session")
def soak(tiny):
    """Parameters of a pipeline that computes deterministically: a minute on two slow cores."""
    params = yaml.safe_load(tiny)
    for section, values in SMALLER.items():
        params[section] |= values
    return yaml.safe_dump(params)


@pytest.fixture(scope="session")
def undisturbed(made_workspace, soak):
    """The report's tables of a run that nothing disturbs."""
    return made_workspace(soak).tables()


@pytest.fixture
def outcome(record_property):
    """Keeps what was broken and what came of it for the table at the end."""
    return lambda fault, came: record_property("outcome", [fault, came])


def pytest_terminal_summary(terminalreporter):
    reports = terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
    kept = [
        value for report in reports for name, value in report.user_properties if name == "outcome"
    ]
    if kept:
        terminalreporter.section("what was broken on purpose, and what came of it")
        terminalreporter.write_line("| fault | outcome |\n| --- | --- |")
        for fault, came in kept:
            terminalreporter.write_line(f"| {fault} | {came} |")
