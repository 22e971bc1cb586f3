"""The syntax tree of a spec: what is written, with places, before any value is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnndsl.diagnostics import Diagnostic, Span
from cnndsl.expr import Expr

# --- terms: values that may hold expressions -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Const:
    """A null, boolean, number or plain text."""

    value: Any
    span: Span


@dataclass(frozen=True, slots=True)
class Formula:
    """A scalar that is one whole expression, written `text`; its value keeps its type."""

    expr: Expr
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Text:
    """A text with expressions in it, as `layer$stage`; the value is a text."""

    parts: tuple[str | Expr, ...]
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Terms:
    """A list of terms."""

    items: tuple[Term, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Broken:
    """A term that was already reported as wrong."""

    span: Span


Term = Const | Formula | Text | Terms | Broken
VALUE = "a number, text, truth value, list or expression"
"""What a term is written as."""


@dataclass(frozen=True, slots=True)
class Arg:
    """`name: value`, with the places of both."""

    name: str
    key: Span
    value: Term


@dataclass(frozen=True, slots=True)
class Setting:
    """A value within nested mappings, at the keys of `path`; `keys` are the places of these."""

    path: tuple[str, ...]
    keys: tuple[Span, ...]
    value: Term

    def within(self, count: int) -> Setting:
        """The same, seen from the mapping that lies below the first `count` keys."""
        return Setting(self.path[count:], self.keys[count:], self.value)


# --- nodes ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attributes:
    """What any node may have beside its op; `span` is where the op's name stands."""

    span: Span
    name: Term | None = None
    when: Term | None = None
    source: Term | None = None
    shape: Term | None = None


@dataclass(frozen=True, slots=True)
class Node:
    at: Attributes


@dataclass(frozen=True, slots=True)
class OpCall(Node):
    """`conv: {out: 64}`; the primary argument of the short form has the name ""."""

    op: str
    args: tuple[Arg, ...]


@dataclass(frozen=True, slots=True)
class BlockCall(Node):
    """`Bottleneck: {width: 64}`, or with `alias` the block of an imported file."""

    alias: str
    block: str
    args: tuple[Arg, ...]


@dataclass(frozen=True, slots=True)
class Use(Node):
    """`use: $block`, a block or an op that is known only by its value."""

    target: Term
    args: tuple[Arg, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """Nodes in sequence; `single` where one node was written without a list."""

    nodes: tuple[Node, ...]
    span: Span
    single: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch of a merge; `label` is empty in a list of branches."""

    label: str
    span: Span
    body: Body
    implied: bool = False
    """Whether it is not written: the input that `dense` joins its body to."""


@dataclass(frozen=True, slots=True)
class Merge(Node):
    """`concat`, `add`, `mul`, and `split`, which shares the channels out and concatenates."""

    op: str
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class Residual(Node):
    body: Body
    shortcut: Body | None
    skip: Term | None


@dataclass(frozen=True, slots=True)
class For(Node):
    """`for` with its columns, or `repeat` with one column that has no name."""

    columns: tuple[Arg, ...]
    body: Body

    @property
    def is_repeat(self) -> bool:
        return len(self.columns) == 1 and not self.columns[0].name


@dataclass(frozen=True, slots=True)
class Seq(Node):
    body: Body


@dataclass(frozen=True, slots=True)
class Take(Node):
    """A node with `from` alone: the earlier value itself."""


@dataclass(frozen=True, slots=True)
class BrokenNode(Node):
    """A node that was already reported as wrong.

    `single` says that it is one op, or block, whatever it is: it holds no other nodes with names.
    """

    single: bool = False


# --- files ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Param:
    """A declared parameter: its type, and its default where it has one."""

    name: str
    span: Span
    type: str
    default: Term | None


@dataclass(frozen=True, slots=True)
class Block:
    name: str
    span: Span
    params: tuple[Param, ...]
    let: tuple[Arg, ...]
    body: Body


@dataclass(frozen=True, slots=True)
class Head:
    """An entry of `outputs:`."""

    name: str
    span: Span
    source: Term | None
    body: Body | None
    train_only: Term | None
    loss_weight: Term | None
    when: Term | None


@dataclass(frozen=True, slots=True)
class Init:
    """A rule of `init:`: a tensor of the nodes that a selector means, and its scheme."""

    selector: str
    span: Span
    tensor: str
    key: Span
    """Where the tensor's name stands."""
    scheme: str
    args: tuple[Arg, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What `expect:` states, for one variant or, with the name "", for the file."""

    variant: str
    entries: tuple[Arg, ...]
    shapes: tuple[Arg, ...]


@dataclass(frozen=True)
class Spec:
    """A file, with the files that it imports; `path` is None for a spec given as text."""

    name: str
    about: str
    path: Path | None
    span: Span
    params: tuple[Param, ...] = ()
    variants: Mapping[str, tuple[Arg, ...]] = field(default_factory=dict)
    inputs: tuple[Arg, ...] = ()
    defaults: Mapping[str, tuple[Arg, ...]] = field(default_factory=dict)
    let: tuple[Arg, ...] = ()
    blocks: Mapping[str, Block] = field(default_factory=dict)
    body: Body | None = None
    outputs: tuple[Head, ...] = ()
    init: tuple[Init, ...] = ()
    expect: tuple[Facts, ...] = ()
    published: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Published figures by variant; those of the file itself have the name ""."""
    train: tuple[Setting, ...] = ()
    imports: Mapping[str, Spec] = field(default_factory=dict)
    overrides: tuple[Arg, ...] = ()
    """Parameter values that an extending file gives."""
    requires: tuple[str, ...] = ()
    """The packages that the file's ops need."""
    open: bool = False
    """Whether keys that declare names have the wrong form: then an unknown name may be theirs."""
    unsure: bool = False
    """Whether those are keys that declare blocks."""
    unread: tuple[Diagnostic, ...] = ()
    """Warnings of what nothing in the file, or in those that it imports, reads."""
