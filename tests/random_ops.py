"""Random specs of all ops that there are, with all arguments, as neighbours nobody chose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from hypothesis import strategies as st
from test_ops import PUBLIC, shapes, values_of

from cnndsl.ops.base import Op, Reject, Shape
from cnndsl.ops.kinds import Either, Kind, Number

Yaml = dict[str, Any]
LARGEST = 4096
"""Elements of a value: real tensors are made of them."""


def modest(kind: Kind) -> st.SearchStrategy[Any]:
    """Values that the kind takes, with which a network computes what is finite."""
    match kind:
        case Number(whole=False, min=low, max=high):
            found = [0.0 if low is None else float(low), 1.0 if high is None else float(high)]
            found += [0.25, 0.5, 2.0]
            inside = [v for v in found if (low is None or v >= low) and (high is None or v <= high)]
            return st.sampled_from([v for v in inside if v] or inside)
        case Either(kinds=kinds):
            return st.one_of([modest(inner) for inner in kinds])
    return values_of(kind)


def layers(name: str) -> st.SearchStrategy[Yaml]:
    """An op with arguments, as a node."""
    args = PUBLIC[name].args.values()
    required = {arg.name: modest(arg.kind) for arg in args if arg.required}
    optional = {arg.name: modest(arg.kind) for arg in args if not arg.required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda given: {name: given})


def fits(layer: Yaml, x: Shape) -> Shape | None:
    """The shape of the result; None where the op does not take the input."""
    ((name, given),) = layer.items()
    try:
        op = PUBLIC[name].create(given)
        shape = op.infer((x,)) if len(x) in op.ranks else None
    except (Reject, OverflowError):
        return None
    return shape if shape is not None and shape.size <= LARGEST else None


def kinds_of_ops() -> st.SearchStrategy[str]:
    """The name of an op: any, or one that may stand in another's memory or write over it."""
    near = [name for name, op in PUBLIC.items() if op.shares is not Op.shares or op.inplace]
    return st.sampled_from(sorted(PUBLIC)) | st.sampled_from(sorted({*near, "conv", "bn"}))


@st.composite
def random_ops(draw: Callable[..., Any]) -> str:
    """The text of a spec: layers of all kinds, some read twice or given, some in a scope."""
    shape = draw(st.sampled_from([3, 3, 3, 1, 2]).flatmap(shapes))
    spec: Yaml = {"input": list(shape)}
    known: dict[str, Shape] = {"input": shape}
    body: list[Yaml] = []
    for index in range(draw(st.integers(4, 9))):
        tries = (draw(kinds_of_ops().flatmap(layers)) for _ in range(5))
        fitting = ((layer, result) for layer in tries if (result := fits(layer, shape)))
        layer, result = next(fitting, ({"identity": {}}, shape))
        node = {**layer, "name": f"v{index}"}
        if draw(st.integers(0, 9)) == 0:
            node = {"seq": [layer, "identity"], "name": f"v{index}"}
        body.append(node)
        shape = known[f"v{index}"] = result
        alike = sorted(name for name, other in known.items() if other == shape)[:-1]
        if alike and draw(st.booleans()):
            earlier = {"from": draw(st.sampled_from(alike))}
            merge = draw(st.sampled_from(["add", "mul"]))
            body.append({merge: [[], earlier], "name": f"m{index}"})
            known[f"m{index}"] = shape
    spec["body"] = body or ["identity"]
    if draw(st.integers(0, 2)):
        sources = draw(st.lists(st.sampled_from(sorted(known)), min_size=1, max_size=2))
        sides = {f"side{i}": {"from": source} for i, source in enumerate(sources)}
        spec["outputs"] = {"out": {}, **sides}
    return str(yaml.safe_dump(spec, sort_keys=False, default_flow_style=None))
