"""The service under load, beside MLflow's own server of the same model.

::

    python benchmarks/service.py IMAGES [--clients 50] [--seconds 120]

In a clone that has a champion. Each client asks about one picture of IMAGES after the other, with
age, sex and site, as base64 in JSON; one client a thread, all on this machine, beside the server.
Limits are off, but for two requests at once; the others wait. Each server is started once to warm
the disk's cache, then with nothing kept of an earlier start (what this clone's service has kept is
deleted), asked once, loaded for a tenth of the time, measured, and started again.

A table comes first. The last line is one JSON object: ``service`` and ``mlflow``, each with
requests a second, milliseconds (p50, p99), ``errors``, seconds from start to first answer, those of
the next start, and megabytes before and after the load; ``ratio``, requests a second of ours to
MLflow's.
"""

import argparse
import base64
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from slimderm.flows.config.params import read_params
from slimderm.flows.serving.serve import kept_folder

PERSON = {"age": 45, "sex": "female", "localization": "back"}
MB = 1_000_000


class Server:
    """A server of the champion, in a process of its own."""

    def __init__(self, clients: int, *more: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        self.place = f"http://127.0.0.1:{port}"
        limits = {"SERVE_RATE": "1000000/minute", "SERVE_WAITING": str(clients)}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "slimderm", "serve", *more],
            env=os.environ | limits | {"SERVE_PORT": port},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def first(self, path: str, body: Any) -> float:
        """Ask until there is an answer; return the seconds since the start."""
        began = time.perf_counter()
        while True:
            try:
                if httpx.post(f"{self.place}{path}", json=body, timeout=60).status_code == 200:
                    return time.perf_counter() - began
            except httpx.HTTPError:
                if self.process.poll() is not None:
                    raise SystemExit("the server does not start; is there a champion?") from None
            time.sleep(0.1)

    @property
    def megabytes(self) -> float:
        """What the server and its processes hold."""
        parent = psutil.Process(self.process.pid)
        return sum(each.memory_info().rss for each in (parent, *parent.children(True))) / MB

    def stop(self) -> None:
        """End it with all that it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def load(place: str, bodies: list[Any], clients: int, seconds: float) -> dict[str, float]:
    """Ask from many clients for so many seconds."""
    end = time.perf_counter() + seconds
    times: list[float] = []
    errors = [0] * clients

    def ask(number: int) -> None:
        with httpx.Client(timeout=60) as client:
            for body in itertools.islice(itertools.cycle(bodies), number, None):
                began = time.perf_counter()
                if began > end:
                    return
                try:
                    errors[number] += client.post(place, json=body).status_code != 200
                except httpx.HTTPError:
                    errors[number] += 1
                times.append(1000 * (time.perf_counter() - began))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    p50, p99 = np.percentile(times, [50, 99])
    return {
        "requests_s": len(times) / seconds,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "errors": sum(errors),
    }


def first_answer(path: str, body: Any, clients: int, which: list[str]) -> float:
    """Start a server, ask once, and end it; return the seconds until the answer."""
    server = Server(clients, *which)
    try:
        return server.first(path, body)
    finally:
        server.stop()


def measure(images: list[str], options: argparse.Namespace, *, mlflow: bool) -> dict[str, float]:
    """Start a server, load it, and end it."""
    rows = [{"image": image, **PERSON} for image in images]
    bodies = [{"dataframe_records": [row]} for row in rows] if mlflow else rows
    path = "/invocations" if mlflow else "/predict/base64"
    which = ["--mlflow"] if mlflow else []
    first_answer(path, bodies[0], options.clients, which)
    shutil.rmtree(kept_folder(read_params().record), ignore_errors=True)
    server = Server(options.clients, *which)
    try:
        first = server.first(path, bodies[0])
        load(f"{server.place}{path}", bodies, options.clients, options.seconds / 10)
        before = server.megabytes
        found = load(f"{server.place}{path}", bodies, options.clients, options.seconds)
        found |= {"megabytes_before": before, "megabytes_after": server.megabytes}
    finally:
        server.stop()
    again = first_answer(path, bodies[0], options.clients, which)
    return found | {"first_answer_s": first, "next_start_s": again}


def main() -> None:
    """Print a row for each server, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    files = [path for path in sorted(options.images.rglob("*")) if path.is_file()][:100]
    images = [base64.b64encode(path.read_bytes()).decode() for path in files]
    found = {
        "service": measure(images, options, mlflow=False),
        "mlflow": measure(images, options, mlflow=True),
    }
    names = list(found["service"])
    print(f"{'':10}" + "".join(f"{name:>18}" for name in names))
    for server, row in found.items():
        print(f"{server:10}" + "".join(f"{row[name]:18,.1f}" for name in names))
    ratio = found["service"]["requests_s"] / found["mlflow"]["requests_s"]
    print(json.dumps(found | {"ratio": ratio}))


if __name__ == "__main__":
    main()
