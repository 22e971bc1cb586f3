"""Unified classes → the lines of their source."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from cnndsl.emitter.initial import initial_lines
from cnndsl.emitter.layout import WIDTH, Doc, Group, flat, lay_out
from cnndsl.emitter.unify import Unified
from cnndsl.graph import Graph
from cnndsl.ops.base import Call
from cnndsl.plan.parts import Chain, Class, Leaf, Line, Part
from cnndsl.plan.words import distinct, field_name, function_name, is_identifier, literal


@dataclass(frozen=True)
class Filled:
    """What stands in a hole: a constant, or the name of a parameter."""

    text: str
    value: Any
    constant: bool


@dataclass
class Writer:
    graph: Graph
    classes: Mapping[Hashable, Unified]
    targets: set[str] = field(default_factory=set)
    """Every call target that was written."""

    def lines(self, root: Class) -> Iterator[str]:
        for found in self.classes.values():
            if found.sample.key == root.key and len(self.graph.outputs) > 1:
                yield from self.outputs_class(found.name)
            yield from ("", "")
            yield from self.class_lines(found, found.sample.key == root.key)
        for node in self.graph.nodes:
            function = node.op.function(*node.input_shapes) if node.inputs else None
            if isinstance(function, Call):
                self.targets.add(function.target)

    def outputs_class(self, name: str) -> Iterator[str]:
        yield from ("", "", f"class {name}Outputs(NamedTuple):")
        names: list[str] = []
        for output in self.graph.outputs:
            names.append(distinct(field_name(output.name), names))
            yield f"    {names[-1]}: Tensor{' | None' if output.train_only else ''}"

    def class_lines(self, found: Unified, is_root: bool) -> Iterator[str]:
        sample = found.sample
        yield f"class {found.name}(nn.{'Sequential' if sample.chain else 'Module'}):"
        holes = self.holes(found)
        yield from self.signature(found)
        if sample.chain:
            yield from lay_out(Group("super().__init__(", self.children(sample.fields, holes)), 8)
            if is_root:
                yield from initial_lines(self.graph)
            return
        yield "        super().__init__()"
        for name, part in sample.fields:
            doc = self.part(part, holes)
            if is_identifier(name):
                yield from lay_out(doc, 8, f"self.{name} = ")
            elif isinstance(part, Leaf) and part.call.target == "nn.Parameter":
                yield from lay_out(Group("self.register_parameter(", (f'"{name}"', doc)), 8)
            else:
                yield from lay_out(Group("self.add_module(", (f'"{name}"', doc)), 8)
        if is_root:
            yield from initial_lines(self.graph)
        yield ""
        yield from self.forward(found, is_root)
        if is_root and self.graph.dropped:
            yield from self.dropped_heads()

    def signature(self, found: Unified) -> Iterator[str]:
        told = (f"{p.name}: {p.type}{p.default and f' = {p.default}'}" for p in found.parameters)
        items = ("self", *told)
        if found.parameters or found.sample.fields or found.sample.chain:
            yield from lay_out(Group("def __init__(", items, ") -> None:"), 4)
        else:
            yield "    def __init__(self) -> None:"

    def holes(self, found: Unified) -> Iterator[Filled]:
        for hole, parameter in zip(found.sample.holes, found.fill, strict=True):
            if parameter:
                yield Filled(parameter.name, None, False)
            else:
                yield Filled(literal(hole.value), hole.value, True)

    # --- constructors ---

    def part(self, part: Part, holes: Iterator[Filled]) -> Doc:
        if isinstance(part, Leaf):
            return self.leaf(part.call, part.defaults, holes)
        if isinstance(part, Class):
            return self.instance(part, holes)
        if all(name == str(i) for i, (name, _) in enumerate(part.children)):
            return Group("nn.Sequential(", self.children(part.children, holes))
        return Group("nn.Sequential(", (self.named_children(part, holes),))

    def children(
        self, children: tuple[tuple[str, Part], ...], holes: Iterator[Filled]
    ) -> tuple[Doc, ...]:
        """The modules of a chain by number; runs of equal ones as a comprehension."""
        if any(name != str(i) for i, (name, _) in enumerate(children)):
            return (self.named_children(Chain(children), holes),)
        docs = [self.part(part, holes) for _, part in children]
        items: list[Doc] = []
        for _, run in groupby(docs, key=flat):
            same = list(run)
            if len(same) > 2:
                items.append(Group("*(", (same[0], f"for _ in range({len(same)})"), separator=""))
            else:
                items.extend(same)
        return tuple(items)

    def named_children(self, chain: Chain, holes: Iterator[Filled]) -> Doc:
        if all(is_identifier(name) for name, _ in chain.children):
            named = tuple(
                _prefixed(f"{name}=", self.part(part, holes)) for name, part in chain.children
            )
            return Group("OrderedDict(", named)
        pairs = tuple(
            _prefixed(f'"{name}": ', self.part(part, holes)) for name, part in chain.children
        )
        return Group("OrderedDict(", (Group("{", pairs, "}"),))

    def leaf(self, call: Call, defaults: Mapping[str, Any], holes: Iterator[Filled]) -> Doc:
        self.targets.add(call.target)
        items: list[Doc] = [self.constant(value, holes) for value in call.args]
        for name, value in call.kwargs:
            if isinstance(value, Call):
                items.append(_prefixed(f"{name}=", self.constant(value, holes)))
                continue
            filled = next(holes)
            is_default = (
                filled.constant and name in defaults and _same(filled.value, defaults[name])
            )
            if not is_default:
                items.append(f"{name}={filled.text}")
        return Group(f"{function_name(call.target)}(", tuple(items))

    def constant(self, value: Any, holes: Iterator[Filled]) -> Doc:
        return self.leaf(value, {}, holes) if isinstance(value, Call) else next(holes).text

    def instance(self, part: Class, holes: Iterator[Filled]) -> Doc:
        found = self.classes[part.key]
        own = [next(holes) for _ in part.holes]
        items = tuple(
            f"{p.name}={own[p.hole].text}"
            for p in found.parameters
            if not p.default or own[p.hole].text != p.default
        )
        return Group(f"{found.name}(", items)

    # --- forward passes ---

    def forward(self, found: Unified, is_root: bool) -> Iterator[str]:
        sample = found.sample
        if is_root:
            yield from self.root_signature(found)
        else:
            takes, gives = ([_tensor(absent) for absent in side] for side in sample.absent)
            result = gives[0] if len(gives) == 1 else f"tuple[{', '.join(gives)}]"
            named = zip(sample.inputs, takes, strict=True)
            items = ("self", *(f"{name}: {type}" for name, type in named))
            yield from lay_out(Group("def forward(", items, f") -> {result}:"), 4)
        lines = list(sample.lines)
        last = lines[-1] if lines else None
        short = (
            last and last.sign == "=" and sample.outputs == (last.target,) and not last.train_only
        )
        for train_only, run in groupby(
            lines[:-1] if short else lines, key=lambda line: line.train_only
        ):
            if train_only:
                yield "        if self.training:"
            for line in run:
                yield from self.statement(line, 12 if train_only else 8, found.count == 1)
        if short and last:
            yield from _commented(
                f"        return {last.value}", last.shape if found.count == 1 else ""
            )
        elif is_root and len(self.graph.outputs) > 1:
            yield from self.root_return(found)
        else:
            given = zip(sample.outputs, sample.absent[1], strict=True)
            told = (f"{name} if self.training else None" if only else name for name, only in given)
            yield f"        return {', '.join(told)}"

    def statement(self, line: Line, indent: int, shapes: bool) -> Iterator[str]:
        text = f"{' ' * indent}{line.target} {line.sign} {line.value}"
        yield from _commented(text, line.shape if shapes else "")

    def root_signature(self, found: Unified) -> Iterator[str]:
        outputs = self.graph.outputs
        result = "Tensor" if len(outputs) == 1 else f"{found.name}Outputs"
        if len(outputs) > 1 and sum(not output.train_only for output in outputs) == 1:
            result += " | Tensor"
        items = ("self", *(f"{name}: Tensor" for name in found.sample.inputs))
        yield from lay_out(Group("def forward(", items, f") -> {result}:"), 4)

    def root_return(self, found: Unified) -> Iterator[str]:
        outputs = list(zip(self.graph.outputs, found.sample.outputs, strict=True))
        every = tuple(name for _, name in outputs)
        kept = [name for output, name in outputs if not output.train_only]
        if len(kept) == len(every):
            yield from lay_out(Group(f"{found.name}Outputs(", every), 8, "return ")
            return
        yield "        if self.training:"
        yield from lay_out(Group(f"{found.name}Outputs(", every), 12, "return ")
        if len(kept) == 1:
            yield f"        return {kept[0]}"
            return
        inference = tuple("None" if output.train_only else name for output, name in outputs)
        yield from lay_out(Group(f"{found.name}Outputs(", inference), 8, "return ")

    def dropped_heads(self) -> Iterator[str]:
        """Loading a checkpoint that has the weights of heads which this variant leaves out."""
        prefixes = ", ".join(f'prefix + "{path}."' for path in self.graph.dropped)
        comma = "," if len(self.graph.dropped) == 1 else ""
        yield ""
        yield "    def _load_from_state_dict(self, state_dict, prefix, *args):  # type: ignore"
        yield "        # The weights of heads that this network leaves out are no error."
        yield f"        left_out = ({prefixes}{comma})"
        yield "        for key in [key for key in state_dict if key.startswith(left_out)]:"
        yield "            del state_dict[key]"
        yield "        super()._load_from_state_dict(state_dict, prefix, *args)"


def _tensor(absent: bool) -> str:
    return "Tensor | None" if absent else "Tensor"


def _prefixed(prefix: str, doc: Doc) -> Doc:
    return prefix + doc if isinstance(doc, str) else Group(prefix + doc.head, doc.items, doc.close)


def _commented(text: str, comment: str) -> Iterator[str]:
    fits = comment and len(text) + len(comment) + 4 <= WIDTH
    yield f"{text}  # {comment}" if fits else text


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)
