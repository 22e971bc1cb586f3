"""Initial weights: the rules of `init:` → a call of torch.nn.init for each weight they mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import erfc, exp, pi, sqrt
from typing import Any

from cnndsl import syntax
from cnndsl.diagnostics import Related, Report, suggest
from cnndsl.expr import Exhausted, Meter
from cnndsl.expr.tree import MAX_WORK
from cnndsl.graph import Graph, Node
from cnndsl.ops import registry
from cnndsl.ops.base import Call, Reject
from cnndsl.ops.kinds import Choice, Kind, Number, Schema
from cnndsl.packages import or_of_package
from cnndsl.selectors import Selectors
from cnndsl.values import Env, Evaluator, Home, Poison, mend

MATCHES = 20
"""How many comparisons with patterns there may be for each node of a large network."""

_NUMBER = Number(whole=False)
_POSITIVE = Number(whole=False, min=0)
_KAIMING: dict[str, Kind] = {
    "a": _NUMBER,
    "mode": Choice(("fan_in", "fan_out")),
    "nonlinearity": Choice(("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu")),
}
SCHEMES: Mapping[str, Mapping[str, Kind]] = {
    "constant": {"val": _NUMBER},
    "normal": {"mean": _NUMBER, "std": _POSITIVE},
    "trunc_normal": {"mean": _NUMBER, "std": _POSITIVE, "a": _NUMBER, "b": _NUMBER},
    "uniform": {"a": _NUMBER, "b": _NUMBER},
    "xavier_normal": {"gain": _POSITIVE},
    "xavier_uniform": {"gain": _POSITIVE},
    "kaiming_normal": _KAIMING,
    "kaiming_uniform": _KAIMING,
    "orthogonal": {"gain": _POSITIVE},
}
"""The functions of torch.nn.init, without their underscore, with their arguments."""

BETWEEN = {"uniform": (0, 1), "trunc_normal": (-2, 2)}
"""Schemes whose numbers lie between `a` and `b`, with PyTorch's defaults of them."""

FARTHEST = 8
"""How many standard deviations the mean of `trunc_normal` may lie outside of its bounds."""

ON_MATRICES = ("xavier_normal", "xavier_uniform", "kaiming_normal", "kaiming_uniform", "orthogonal")
"""Schemes that need a weight of at least two dimensions."""


def init_schema() -> Schema:
    """The JSON Schema of `init:`."""
    schemes = {
        name: {
            "type": ["object", "null"],
            "description": f"torch.nn.init.{name}_. Takes a mapping of its arguments.",
            "properties": {
                arg: {**kind.schema(), "description": f"Takes {kind.words()}."}
                for arg, kind in kinds.items()
            },
            "additionalProperties": False,
        }
        for name, kinds in SCHEMES.items()
    }
    how: Schema = {
        "type": ["number", "string", "object"],
        "pattern": rf"^({'|'.join(SCHEMES)})$|\$",
        "description": "Takes a number, a scheme, or a mapping from scheme to arguments.",
        "properties": schemes,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {
        "type": "object",
        "description": "Initial weights. Takes a mapping from op or path to weights.",
        "additionalProperties": {
            "type": "object",
            "description": "Initial values. Takes a mapping from `weight` or `bias` to a scheme.",
            "additionalProperties": how,
        },
    }


def initialize(graph: Graph, home: Home, report: Report) -> Graph:
    """The graph with the initial values that the file's rules give; a later rule wins."""
    nodes = _meant(home.spec.init, graph, report)
    if nodes is None:
        return graph
    rules = _Rules(home, report, nodes)
    chosen: dict[str, tuple[syntax.Init, Call]] = {}
    means: list[tuple[syntax.Init, str]] = []
    """Each rule that means a weight, with one of those."""
    for rule in home.spec.init:
        own = {name: (rule, call) for name, call in rules.apply(rule, graph)}
        means += [(rule, name) for name in [*own][:1]]
        chosen |= own
    if not home.spec.variants:
        _tell_overridden(means, chosen, report)
    return replace(graph, init={name: call for name, (_, call) in chosen.items()})


def _tell_overridden(
    means: Iterable[tuple[syntax.Init, str]],
    chosen: Mapping[str, tuple[syntax.Init, Call]],
    report: Report,
) -> None:
    """Warn of rules of which no weight begins as they say, since later ones win.

    In a file with variants they may be for another one.
    """
    living = {id(rule) for rule, _ in chosen.values()}
    for rule, name in means:
        if id(rule) not in living:
            message = f"later rules win for each `{rule.tensor}` of `{rule.selector}`"
            related = (Related("one of them stands", chosen[name][0].key),)
            report.warn("unused", message, rule.key, "put it after them, or leave it away", related)


def _meant(
    rules: tuple[syntax.Init, ...], graph: Graph, report: Report
) -> Mapping[str, list[Node]] | None:
    """The nodes that each selector means: by their op, or by their path, where `*` is any segment.

    None, and a report, where they are too many for so many rules.
    """
    by_op: dict[str, list[Node]] = {}
    for node in graph.layers:
        by_op.setdefault(node.op.name, []).append(node)
    selectors = dict.fromkeys(rule.selector for rule in rules)
    paths = [selector for selector in selectors if selector not in registry()]
    meter = Meter(MAX_WORK + MATCHES * len(graph.nodes))
    try:
        return by_op | Selectors(paths, meter).select(graph.layers)
    except Exhausted:
        message = f"more than {MAX_WORK} comparisons of patterns with the names of nodes"
        report.error("bound", message, rules[0].span, "give fewer patterns, or begin with names")
        return None


@dataclass(frozen=True)
class _Rules:
    home: Home
    report: Report
    nodes: Mapping[str, list[Node]]
    """The nodes that each selector means."""
    known: dict[str, tuple[set[str], set[str]]] = field(default_factory=dict)

    def apply(self, rule: syntax.Init, graph: Graph) -> Iterator[tuple[str, Call]]:
        """(weight, call) for each weight that the rule means."""
        is_op = rule.selector in registry()
        nodes = self.nodes.get(rule.selector, [])
        exact = not is_op and "*" not in rule.selector
        if not nodes and exact and rule.selector.split(".")[0] not in graph.dropped:
            weighted = [node.path for node in graph.layers[:500] if node.weights]
            near = suggest(rule.selector, [*registry(), *weighted])
            near = near if near.startswith("did") else ""
            help = or_of_package(rule.selector, near, self.home.spec.requires)
            help = help or "a rule is for an op, or for a node's path"
            message = f"`{rule.selector}` is neither an op nor the path of a node"
            self.report.error("name", message, rule.span, help)
            return
        self.tell_unused(rule, nodes, graph)
        try:
            call = self.call(rule)
        except Poison:
            return
        for node in nodes:
            name = f"{node.path}.{rule.tensor}" if rule.tensor else node.path
            shape = node.weights.get(name)
            if shape is None:
                continue
            if rule.scheme in ON_MATRICES and len(shape) < 2:
                message = f"{rule.scheme} needs two dimensions, {name} has the shape {list(shape)}"
                self.report.error("value", message, rule.span, "use a constant or `normal`")
                return
            yield name, call

    def tell_unused(self, rule: syntax.Init, nodes: list[Node], graph: Graph) -> None:
        """Report a rule that means no weight: an error where it names one that there cannot be."""
        is_op, pattern = rule.selector in registry(), "*" in rule.selector
        if not nodes:
            if pattern and rule.selector.split(".")[0] not in graph.dropped:
                message = f"no node has a path as `{rule.selector}`"
                help = "`*` stands for one segment, or a part of it"
                self.report.warn("unused", message, rule.span, help)
            return
        own, possible = self.tensors(rule.selector, nodes)
        told = f"`{rule.selector}` has no weight `{rule.tensor}`"
        if rule.tensor not in possible:
            elsewhere = pattern and rule.tensor in self.tensors("", graph.layers)[1]
            help = suggest(rule.tensor, sorted(possible)) or "it has none"
            tell = self.report.warn if elsewhere else self.report.error
            tell("unused" if elsewhere else "name", told, rule.key, help)
        elif rule.tensor not in own and not (is_op and self.home.spec.variants):
            help = "it is switched off, as by `bias: false`"
            self.report.warn("unused", f"{told} here", rule.key, help)

    def tensors(self, selector: str, nodes: Sequence[Node]) -> tuple[set[str], set[str]]:
        """The names of the weights that a selector's nodes have, and of those that they may have
        with other arguments."""
        if selector not in self.known:
            alike = {(node.op, node.x): node for node in nodes if node.inputs}.values()
            own = {tensor for node in alike for tensor in node.op.weights(node.x)}
            self.known[selector] = own, own | {name for node in alike for name in _possible(node)}
        return self.known[selector]

    def tell_idle(self, rule: syntax.Init) -> None:
        """Warn of arguments that change nothing beside others, which no expression decides."""
        literal = {a.name: a.value.value for a in rule.args if isinstance(a.value, syntax.Const)}
        if literal.keys() >= {"nonlinearity"} & {arg.name for arg in rule.args}:
            for arg in rule.args:
                idle = arg.name in idle_args(rule.scheme, literal)
                if idle and literal.get(arg.name) != 0:  # the default may be written
                    told = f"`nonlinearity: {literal['nonlinearity']}`"
                    message = f"{rule.scheme}.{arg.name} changes nothing beside {told}"
                    self.report.warn("unused", message, arg.key, "leave it away")

    def call(self, rule: syntax.Init) -> Call:
        kinds = SCHEMES[rule.scheme]
        evaluator, env = Evaluator(self.report), Env(self.home)
        values: list[tuple[str, Any]] = []
        for arg in rule.args:
            value = evaluator.value(arg.value, env)
            try:
                values.append((arg.name, kinds[arg.name].check(value)))
            except Reject as e:
                message = f"{rule.scheme}.{arg.name}: {e.message}"
                evaluator.wrong("value", message, arg.value, env, mend(value), e.item)
        if clash := _clash(rule.scheme, dict(values)):
            name, message, help = clash
            (at,) = (arg.value for arg in rule.args if arg.name == name)
            evaluator.wrong("value", f"{rule.scheme}.{name}: {message}", at, env, help)
        self.tell_idle(rule)
        if rule.scheme == "constant" and values[0][1] in (0, 1):
            return Call("nn.init.zeros_" if values[0][1] == 0 else "nn.init.ones_")
        return Call(f"nn.init.{rule.scheme}_", (), tuple(values))


def _clash(scheme: str, values: Mapping[str, float]) -> tuple[str, str, str] | None:
    """The argument for which there are no numbers to draw, why, and a remedy."""
    if scheme == "trunc_normal" and values.get("std") == 0:
        return "std", "a deviation of 0 leaves nothing to draw", "write the mean as a constant"
    if scheme not in BETWEEN or not values:
        return None
    low, high = (values.get(name, own) for name, own in zip("ab", BETWEEN[scheme], strict=True))
    if low > high or (scheme == "trunc_normal" and low == high):
        name, other = ("a", "b") if "a" in values else ("b", "a")
        default = low if other == "a" else high
        help = "" if other in values else f"give `{other}` too: without it, it is {default:g}"
        return name, f"`a` is below `b`, found {low:g} and {high:g}", help
    mean, std = values.get("mean", 0), values.get("std", 1)
    if scheme == "trunc_normal" and _is_rare((low - mean) / std, (high - mean) / std):
        told = f"hardly a number of mean {mean:g} and std {std:g} lies from {low:g} to {high:g}"
        return next(iter(values)), told, "it would take PyTorch too long to find some"
    return None


def _is_rare(low: float, high: float) -> bool:
    """Whether fewer than one in 1000 numbers is kept that PyTorch draws between two bounds.

    The bounds are in standard deviations from the mean. It draws evenly between them where less
    than 0.3 of a normal variable lies there, and keeps a number by its density.
    """
    low, high = (low, high) if low + high > 0 else (-high, -low)
    if low > FARTHEST:
        return True
    share = (erfc(low / sqrt(2)) - erfc(high / sqrt(2))) / 2
    if share > 0.3 or high - low < 1:
        return False
    return share * sqrt(2 * pi) * exp(max(low, 0) ** 2 / 2) / (high - low) < 0.001


def idle_args(scheme: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    """The arguments of a scheme that change nothing beside the others, as PyTorch has it."""
    gain = values.get("nonlinearity", "leaky_relu")
    return ("a",) if scheme.startswith("kaiming") and gain != "leaky_relu" else ()


def _possible(node: Node) -> Iterable[str]:
    """The names of the weights of such a node with all that its arguments can switch on."""
    op = node.op
    on = {name: True for name in op.args if isinstance(getattr(op, name), bool)}
    try:
        return type(op)(**{**{name: getattr(op, name) for name in op.args}, **on}).weights(node.x)
    except Reject:
        return ()
