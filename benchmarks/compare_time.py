"""How long comparing all shipped networks takes as a whole process, beside building torchvision's.

    python benchmarks/compare_time.py

`cnndsl compare --all` computes parameters, multiply-adds, memory, depth, receptive field and
smallest image of every network. Beside it, a process imports torch and torchvision, and another
also builds torchvision's 68 networks on the meta device, where weights cost nothing, and counts
nothing at all. The three run in turn, so that what else the machine does meets all of them; the
time on the processor counts.
Exits with 1 if comparing takes more than building.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

BUILD = """
import warnings
import torch, torchvision
from torch.overrides import TorchFunctionMode
class Meta(TorchFunctionMode):  # RegNet computes its widths with tensors, which stay on the CPU
    def __torch_function__(self, func, types, args=(), kwargs=None):
        device = {"device": "meta"} if func in (torch.empty, torch.zeros, torch.ones) else {}
        return func(*args, **{**(kwargs or {}), **device})
warnings.simplefilter("ignore")
families = ("swin", "vit", "maxvit")
names = torchvision.models.list_models(module=torchvision.models)
names = [name for name in names if not name.startswith(families)]
assert len(names) == 68, len(names)
with Meta():
    for name in names:
        torchvision.models.get_model(name, weights=None)
"""
COMMANDS = {
    "compare": [sys.executable, "-m", "cnndsl", "compare", "--all"],
    "import": [sys.executable, "-c", "import torch, torchvision"],
    "build": [sys.executable, "-c", BUILD],
}
LIMIT = 1.0


def seconds(command: list[str]) -> float:
    """Processor time of a process, that of its children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(rounds: int = 3) -> int:
    rows = [{name: seconds(c) for name, c in COMMANDS.items()} for _ in range(rounds + 1)][1:]
    medians = {name: statistics.median(row[name] for row in rows) for name in COMMANDS}
    to_import, to_build = (medians["compare"] / medians[name] for name in ("import", "build"))
    print(", ".join(f"{name} {value:.2f} s" for name, value in medians.items()))
    print(f"compare / import {to_import:.2f}, compare / build {to_build:.2f} (at most {LIMIT})")
    return to_build > LIMIT


if __name__ == "__main__":
    sys.exit(main())
