"""Every op, with any values of its arguments, is read back from the module that it makes."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_ops import PUBLIC, REFUSALS, make, ops_on_inputs
from torch import nn

from cnndsl.importer.converting import convert, is_leaf
from cnndsl.importer.rewriting import simplify
from cnndsl.importer.tracing import trace
from cnndsl.ops.base import Call, Op, Shape

# A weight alone, which no module holds.
WITHOUT_MODULE = {"layer_scale"}
HUNT = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much],
)


def module_of(op: Op, x: Shape) -> nn.Module | None:
    """The op's module, if the op and PyTorch take the input."""
    try:
        op.infer((x,))
        call = op.module(x)
        assert isinstance(call, Call)
        module: nn.Module = make(call)
        module(torch.zeros(2, *x))
    except REFUSALS:
        return None
    return module


def read_back(module: nn.Module, x: Shape) -> list[Op | None]:
    """The ops that an import takes a network of this one module for."""
    net = nn.Sequential(copy.deepcopy(module)).to("meta")
    return [step.op for step in simplify(convert(trace(net, x, is_leaf, True))).steps]


def results(module: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """What a module gives in training and then in inference, with the same random numbers."""
    torch.manual_seed(0)
    return [module.train(mode)(x.clone()) for mode in (True, False)]


@pytest.mark.parametrize("name", sorted(PUBLIC.keys() - WITHOUT_MODULE))
def test_a_module_is_read_as_its_op(name: str) -> None:
    read = 0

    @HUNT
    @given(ops_on_inputs(PUBLIC[name]), st.integers(0, 2**16))
    def check(pair: tuple[Op, Shape], seed: int) -> None:
        nonlocal read
        op, x = pair
        module = module_of(op, x)
        if module is None:
            return
        found = read_back(module, x)
        read += 1
        sample = torch.randn(2, *x, generator=torch.Generator().manual_seed(seed))
        again = nn.Sequential(*(module_of(step, x) for step in found if step is not None))
        assert None not in found, op
        assert len(found) <= 1
        assert list(again.state_dict()) == [f"0.{key}" for key in module.state_dict()]
        again.load_state_dict({f"0.{k}": v for k, v in module.state_dict().items()})
        for one, other in zip(results(again, sample), results(module, sample), strict=True):
            assert torch.equal(one.nan_to_num(), other.nan_to_num()), (op, found)

    check()
    assert read
