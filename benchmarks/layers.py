"""How checking, costing, emitting and drawing grow with the layers that one `repeat` writes.

    python benchmarks/layers.py [--layers 1000,10000,100000]

The network is residual, two convolutions in a block, each with batch normalization. Every step is a
process of its own; told are its time on the processor, and the most memory that it had beside what
an import of cnndsl takes. The other steps begin with a check, whose time does not count.
Exits with 1 where a layer of the longest network takes more than twice the time or the memory of
one of the network before it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence

SPEC = """
input: [3, 32, 32]
blocks:
  Residual:
    body:
      - residual:
          - {{conv: {{out: $x.channels, kernel: 3, padding: 1, bias: false}}, name: conv1}}
          - {{bn: {{}}, name: bn1}}
          - relu
          - {{conv: {{out: $x.channels, kernel: 3, padding: 1, bias: false}}, name: conv2}}
          - {{bn: {{}}, name: bn2}}
      - relu
body:
  - {{conv: {{out: 16, kernel: 3, padding: 1}}, name: stem}}
  - {{repeat: {blocks}, do: {{Residual: {{}}}}}}
  - global_avg_pool
  - flatten
  - linear: 10
"""
STEPS = {
    "import": "",
    "check": "graph = cnndsl.check(path)",
    "cost": "graph = cnndsl.check(path); begin(); all_of(cost(graph))",
    "emit": "graph = cnndsl.check(path); begin(); emit_source(graph)",
    "draw": "graph = cnndsl.check(path); begin(); write_svg(make_figure(make_plan(graph)), LIGHT)",
}
PROCESS = """
import json, resource, sys, tempfile, time
import cnndsl
from cnndsl.costs import cost
from cnndsl.diagram import LIGHT, make_figure, make_plan
from cnndsl.diagram.svg import write_svg
from cnndsl.emitter import emit_source
def all_of(costs):
    memory = costs.memory
    return costs.params, costs.macs, memory.peak, memory.training, costs.field, costs.depth
def begin():
    global start
    start = time.process_time()
with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
    file.write(sys.argv[1])
    file.flush()
    path = file.name
    begin()
    exec(sys.argv[2])
    seconds = time.process_time() - start
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""
LIMIT = 2.0


def measured(step: str, layers: int) -> tuple[float, float]:
    """Seconds on the processor and the most megabytes of a step, for so many layers."""
    spec = SPEC.format(blocks=layers // 2)
    command = [sys.executable, "-c", PROCESS, spec, STEPS[step]]
    seconds, megabytes = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return seconds, megabytes


def grown(step: str, counts: Sequence[int]) -> bool:
    """Tell what a step takes for each number of layers; whether a layer of the last takes more."""
    _, idle = measured("import", 0)
    shares: list[tuple[float, float]] = []
    for count in counts:
        seconds, megabytes = measured(step, count)
        shares.append((seconds / count, (megabytes - idle) / count))
        print(
            f"| {step} | {count:,} | {seconds:.2f} s | {megabytes - idle:.0f} MB | "
            f"{1e6 * seconds / count:.0f} µs |",
            flush=True,
        )
    return any(last > LIMIT * before for before, last in zip(*shares[-2:], strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--layers", default="1000,10000,100000")
    counts = [int(count) for count in parser.parse_args(arguments).layers.split(",")]
    print("| step | layers | time | memory | time of a layer |\n| --- | --- | --- | --- | --- |")
    too_much = [step for step in STEPS if step != "import" and grown(step, counts)]
    print(f"not in proportion: {', '.join(too_much) or 'none'}")
    return bool(too_much)


if __name__ == "__main__":
    sys.exit(main())
