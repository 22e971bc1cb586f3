"""Steps → steps that specs have shorter words for, and that lie where their scope can hold them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from torch import Tensor

from cnndsl.importer.functions import make
from cnndsl.importer.steps import Network, Step, needed

POOLS = {"adaptive_avg_pool": "global_avg_pool", "adaptive_max_pool": "global_max_pool"}

Pass = Callable[[Network], Network]


def simplify(network: Network) -> Network:
    """What the outputs need, in the words of the language."""
    for rewrite in (prune, whole_pools, flat_pools, nested_concats, prune):
        network = rewrite(network)
    return network


def prune(network: Network) -> Network:
    """Without what no output needs."""
    kept = needed(network.steps, network.outputs.values())
    return replace(network, steps=tuple(step for step in network.steps if step.id in kept))


def whole_pools(network: Network) -> Network:
    """A pooling to 1×1 is one over the whole image."""

    def rewrite(step: Step) -> Step:
        if step.kind in POOLS and getattr(step.op, "out", None) in (1, (1, 1)):
            return replace(step, op=make(POOLS[step.kind], keepdim=True))
        return step

    return replace(network, steps=tuple(map(rewrite, network.steps)))


def flat_pools(network: Network) -> Network:
    """A pooling of the whole image that is flattened then gives features at once.

    Only where no member of an nn.Sequential vanishes, since those are counted.
    """
    by_id, readers = network.by_id, read_counts(network)
    steps: list[Step] = []
    for step in network.steps:
        pool = by_id.get(step.inputs[0]) if step.kind == "flatten" else None
        flat = pool and pool.kind in POOLS.values() and len(pool.shape) == 3
        if pool and flat and readers[pool.id] == 1 and not step.named and not _counted(pool):
            whole = make(pool.kind)
            step = replace(step, op=whole, inputs=pool.inputs, shapes=pool.shapes)
        steps.append(step)
    return prune(replace(network, steps=tuple(steps)))


def _counted(step: Step) -> bool:
    return step.named and step.path.rpartition(".")[2].isdigit()


def nested_concats(network: Network) -> Network:
    """Joining a, b, c is joining c to a and b, where those are joined already: `dense`."""
    joined: dict[tuple[int, ...], int] = {}
    steps: list[Step] = []
    shapes = {network.input: network.shape, **{s.id: s.shape for s in network.steps}}
    for step in network.steps:
        if step.kind == "concat":
            joined.setdefault(step.inputs, step.id)
            for length in range(len(step.inputs) - 1, 1, -1):
                before = joined.get(step.inputs[:length])
                if before is not None:
                    inputs = (before, *step.inputs[length:])
                    told = tuple(shapes[i] for i in inputs)
                    step = replace(step, inputs=inputs, shapes=told)
                    break
        steps.append(step)
    return replace(network, steps=tuple(steps))


def with_initial_scales(network: Network, state: Mapping[str, Tensor]) -> Network:
    """Each layer scale with the number that its weight begins with, where that is one for all."""

    def rewrite(step: Step) -> Step:
        weight = state.get(step.path) if step.kind == "layer_scale" else None
        if step.op is None or weight is None or weight.is_meta:
            return step
        if (weight != weight.flatten()[0]).any():
            return step
        last_dim = getattr(step.op, "last_dim", False)
        init = float(f"{weight.flatten()[0].item():.6g}")  # float32 shows more digits than it has
        return replace(step, op=make("layer_scale", init=init, last_dim=last_dim))

    return replace(network, steps=tuple(map(rewrite, network.steps)))


def read_counts(network: Network) -> Counter[int]:
    """How often each value is read, outputs of the network included."""
    read = Counter(i for step in network.steps for i in step.inputs)
    read.update(network.outputs.values())
    return read


# --- places ---


def settle(network: Network, called: Mapping[str, int], stateful: frozenset[str]) -> Network:
    """Put each step where a scope can hold it.

    A module without state that is called several times stands for as many unnamed steps. A merge
    that a module begins with moves out of it, so that the module has one input; a merge of what
    the members of an nn.ModuleList give moves into that list, so that it has one output.
    """
    steps = [_unshared(step, called, stateful) for step in network.steps]
    network = _hoisted(replace(network, steps=tuple(steps)))
    return _sunk(network, called)


def _unshared(step: Step, called: Mapping[str, int], stateful: frozenset[str]) -> Step:
    path = step.path
    if path in stateful or all(called.get(p, 0) <= 1 for p in [path, *scopes_above(path)]):
        return step
    while any(called.get(p, 0) > 1 for p in [path, *scopes_above(path)]):
        path = path.rpartition(".")[0]
    return replace(step, path=path, named=False)


def scopes_above(path: str) -> list[str]:
    """The paths that a path lies in, the innermost first, without the root."""
    parts = path.split(".")
    return [".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1)]


def home(step: Step) -> str:
    """The path of the scope that a step is a member of."""
    return step.path.rpartition(".")[0] if step.named else step.path


def within(path: str, scope: str) -> bool:
    return not scope or path == scope or path.startswith(f"{scope}.")


def _hoisted(network: Network) -> Network:
    steps = list(network.steps)
    moved = True
    while moved:
        moved = False
        for index, step in enumerate(steps):
            scope = home(step)
            if step.kind != "concat" or step.named or not scope:
                continue
            first = next(i for i, s in enumerate(steps) if within(home(s), scope))
            inside = {s.id for s in steps if within(home(s), scope)}
            if not inside & set(step.inputs) and len(set(step.inputs)) > 1:
                steps.insert(first, replace(steps.pop(index), path=scope.rpartition(".")[0]))
                moved = True
                break
    return replace(network, steps=tuple(steps))


def _sunk(network: Network, called: Mapping[str, int]) -> Network:
    steps = list(network.steps)
    homes = {step.id: home(step) for step in steps}
    for index, step in enumerate(steps):
        if step.kind not in ("concat", "add", "mul") or step.named:
            continue
        scope = _list_of(step, homes, called)
        if scope:
            inside = {s.id for s in steps if within(home(s), scope)}
            outside = [s for s in steps if s.id not in inside and s is not step]
            if not any(inside & set(s.inputs) for s in outside):
                steps[index] = replace(step, path=scope)
    return replace(network, steps=tuple(steps))


def _list_of(step: Step, homes: Mapping[int, str], called: Mapping[str, int]) -> str:
    """The nn.ModuleList below the step's scope that two or more of its inputs come from."""
    above = home(step)
    found: Counter[str] = Counter()
    for id in set(step.inputs):
        path = homes.get(id, "")
        if within(path, above) and path != above:
            rest = path[len(above) + 1 if above else 0 :]
            child = f"{above}.{rest.split('.')[0]}" if above else rest.split(".")[0]
            if not called.get(child):
                found[child] += 1
    return next((path for path, count in found.items() if count > 1), "")
