"""The naming of values: scopes while they are being built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnndsl.diagnostics import Span
from cnndsl.graph import Node, Scope

RESERVED = frozenset(
    """
    T_destination _apply _backward_hooks _backward_pre_hooks _buffers _call_impl
    _compiled_call_impl _forward_hooks _forward_hooks_always_called
    _forward_hooks_with_kwargs _forward_pre_hooks _forward_pre_hooks_with_kwargs
    _get_backward_hooks _get_backward_pre_hooks _get_item_by_idx _get_name
    _is_full_backward_hook _load_from_state_dict _load_state_dict_post_hooks
    _load_state_dict_pre_hooks _maybe_warn_non_full_backward_hook _modules _named_members
    _non_persistent_buffers_set _parameters _register_load_state_dict_pre_hook
    _register_state_dict_hook _replicate_for_data_parallel _save_to_state_dict _slow_forward
    _state_dict_hooks _state_dict_pre_hooks _version _wrapped_call_impl add_module append
    apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches
    eval extend extra_repr float forward get_buffer get_extra_state get_parameter
    get_submodule half insert ipu load_state_dict modules mtia named_buffers named_children
    named_modules named_parameters parameters pop register_backward_hook register_buffer
    register_forward_hook register_forward_pre_hook register_full_backward_hook
    register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_
    set_extra_state set_submodule share_memory state_dict to to_empty train training type
    xpu zero_grad
    """.split()  # noqa: SIM905 - a list literal would take a line a name
)
"""Attributes of nn.Module and nn.Sequential; a child of such a name would hide them."""


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
    taken: dict[str, Span] = field(default_factory=dict)
    members: list[Node | OpenScope] = field(default_factory=list)
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def join(self, segment: str) -> str:
        return f"{self.path}.{segment}" if self.path else segment

    def number(self) -> str:
        """The segment of an unnamed member."""
        return str(self.count)

    def free(self, word: str) -> str:
        """`word`, or with a number behind it, whatever is not in use yet."""
        segment, n = word, 1
        while segment in self.taken:
            n += 1
            segment = f"{word}_{n}"
        return segment

    def close(self) -> Scope:
        members = tuple(m if isinstance(m, Node) else m.close() for m in self.members)
        return Scope(self.path, self.block, self.args, members, self.span, self.defaults)
