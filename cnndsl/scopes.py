"""The naming of values: scopes while they are being built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnndsl.diagnostics import Span
from cnndsl.graph import Node, Scope


@dataclass
class OpenScope:
    """A scope that still takes members.

    An unnamed member is numbered by its position among the members, as nn.Sequential does; merges
    and inputs are values but no members, and take a name beside the numbers.
    """

    path: str
    block: str
    args: Mapping[str, Any]
    span: Span
    parent: OpenScope | None = None
    count: int = 0
    uncounted: bool = False
    """Whether a member failed, so that the numbers of later ones are not known."""
    guessed: bool = False
    """Whether its name is such a number."""
    taken: dict[str, tuple[str, Span]] = field(default_factory=dict)
    """The names in use and where, by the skeletons that words which look alike share."""
    members: list[Node | OpenScope] = field(default_factory=list)
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def join(self, segment: str) -> str:
        return f"{self.path}.{segment}" if self.path else segment

    def number(self) -> str:
        """The segment of an unnamed member."""
        return str(self.count)

    def close(self) -> Scope:
        members = tuple(m if isinstance(m, Node) else m.close() for m in self.members)
        return Scope(self.path, self.block, self.args, members, self.span, self.defaults)
