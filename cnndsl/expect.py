"""Confirming what a spec's `expect:` states."""

from __future__ import annotations

from cnndsl import syntax
from cnndsl.costs import cost, min_input
from cnndsl.diagnostics import Report, suggest
from cnndsl.expr import show
from cnndsl.graph import Graph
from cnndsl.values import Env, Evaluator, Home, Poison


def confirm(graph: Graph, spec: syntax.Spec, report: Report) -> int:
    """Report each fact that does not hold for the graph's variant; returns how many it states."""
    found = {path: list(graph.nodes[node].shape) for path, node in graph.values.items()}
    checker = _Checker(graph, found, Evaluator(report), Env(Home(spec, graph.params, {})))
    facts = [f for f in spec.expect if f.variant in ("", graph.variant)]
    return sum(checker.facts(f) for f in facts)


class _Checker:
    def __init__(
        self, graph: Graph, shapes: dict[str, list[int]], evaluator: Evaluator, env: Env
    ) -> None:
        self.graph, self.shapes, self.evaluator, self.env = graph, shapes, evaluator, env

    def facts(self, facts: syntax.Facts) -> int:
        for entry in facts.entries:
            self.compare(entry, entry.name, self.fact(entry.name))
        for entry in facts.shapes:
            if entry.name not in self.shapes:
                help = suggest(entry.name, list(self.shapes)) if len(self.shapes) < 500 else ""
                message = f"no value has the path `{entry.name}`"
                self.evaluator.report.error("expect", message, entry.key, help)
                continue
            self.compare(entry, entry.name, self.shapes[entry.name])
        return len(facts.entries) + len(facts.shapes)

    def fact(self, name: str) -> int | list[int] | None:
        if name == "min_input":
            return min_input(self.graph)
        if name == "output":
            return list(self.graph.nodes[self.graph.output.node].shape)
        costs = cost(self.graph)
        return costs.params if name == "params" else costs.macs

    def compare(self, entry: syntax.Arg, name: str, found: int | list[int] | None) -> None:
        try:
            expected = self.evaluator.value(entry.value, self.env)
        except Poison:
            return
        if expected != found:
            told = f"{found:,}" if isinstance(found, int) else show(found)
            stated = f"{expected:,}" if isinstance(expected, int) else show(expected)
            message = f"{name}: the spec expects {stated}, the network has {told}"
            self.evaluator.report.error("expect", message, entry.value.span)
