"""How long a static check takes as a whole process, beside importing torch and torchvision.

    python benchmarks/check_time.py

Both commands run in turn, so that what else the machine does meets both; the ratio of the medians
counts. Exits with 1 if a check takes more than a fifth.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

CHECK = [sys.executable, "-m", "cnndsl", "build", "resnet152", "--check-shapes"]
IMPORT = [sys.executable, "-c", "import torch, torchvision"]
LIMIT = 0.2


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main(rounds: int = 9) -> int:
    pairs = [(seconds(CHECK), seconds(IMPORT)) for _ in range(rounds + 1)][1:]  # the first warms up
    check, imported = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = check / imported
    print(f"check {check:.3f} s, import {imported:.3f} s, ratio {ratio:.3f} (at most {LIMIT})")
    return ratio > LIMIT


if __name__ == "__main__":
    sys.exit(main())
