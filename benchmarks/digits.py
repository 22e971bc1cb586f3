"""Every network of the courses on the embedded digits, by the recipe that comes with it.

    python benchmarks/digits.py [NETWORK…] [--write]

Each is trained by `cnndsl train` as a user would, a whole process, with the threads that PyTorch
takes. Exits with 1 where one is not above 97 %, or takes two minutes. `--write` keeps the metrics
under docs/results/digits.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NETWORKS = (
    "lenet",
    "lenet_bn",
    "alexnet_course",
    "vgg11_course",
    "nin",
    "inception",
    "resnet_mnist",
)
ACCURACY, SECONDS = 0.97, 120.0
RESULTS = Path(__file__).parents[1] / "docs" / "results" / "digits"


def train(network: str, folder: Path) -> tuple[float, float]:
    """The best accuracy on the validation images, and the seconds of the whole process."""
    command = ["train", network, "--data", "digits", "--device", "cpu", "-o", str(folder)]
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "cnndsl", *command], check=True, stdout=subprocess.DEVNULL
    )
    seconds = time.perf_counter() - start
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        return max(float(row["val_accuracy"]) for row in csv.DictReader(file)), seconds


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--write", action="store_true")
    asked, failed = parser.parse_args(), False
    for network in asked.networks:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, "run")
            accuracy, seconds = train(network, folder)
            if asked.write:
                RESULTS.mkdir(parents=True, exist_ok=True)
                shutil.copy(folder / "metrics.csv", RESULTS / f"{network}.csv")
        failed |= accuracy <= ACCURACY or seconds >= SECONDS
        print(f"{network:16} {accuracy:7.2%} {seconds:6.1f} s", flush=True)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
