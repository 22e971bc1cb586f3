"""Help that is followed literally works: each broken spec is repaired by doing what it is told."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import permutations
from pathlib import Path

import pytest
import torch
from following import INPUT, follow, followed, told
from torch.nn import functional

import cnndsl
from cnndsl.cli.options import checked
from cnndsl.diagnostics import SpecError
from cnndsl.expr import evaluate, parse
from cnndsl.hints import _ARGUMENTS, _OPS
from cnndsl.ops import registry
from cnndsl.ops.base import Shape
from cnndsl.schema import STRUCTURES

NBSP = "\u00a0"


def assert_helps(text: str, folder: Path, message: str = "") -> None:
    """One round of following what is told repairs the spec; a message holds the words."""
    text = text if text.startswith("input") else INPUT + text
    errors = told(text, folder)
    assert errors
    assert message in errors[0].message
    repaired = followed(text, errors)
    left = told(repaired, folder)
    assert not left, "\n".join([text, *map(str, errors), repaired, *map(str, left)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("body: [{conv: 8, name: “a”}]\n", "`“` stands where `'` is meant"),
        ("body: [{conv: ‘8’}]\n", "`‘` stands where `'` is meant"),
        ("“body”: [{conv: 8}]\n", "`“` stands where `'` is meant"),
        ("params: {m: a}\nbody: [{conv: 8, when: $(m == “a”)}]\n", "`“` is no quotation mark"),
        ("body：\n  - relu\n", "`：` stands where `:` is meant"),
        ("body:\n  – conv: 8\n  – relu\n", "`–` begins no item of a list"),
        ("body:\n  • conv: 8\n  • relu\n", "`•` begins no item of a list"),
        (f"body:\n  - conv:{NBSP}8\n", "a space of another kind (U+00A0) stands here"),
        (f"body:\n  -{NBSP}conv: 8\n", "a space of another kind (U+00A0) stands here"),
        (f"body:\n{NBSP} - relu\n", "a space of another kind (U+00A0) stands here"),
        (f"body:\n  - relu{NBSP}\n", "a space of another kind (U+00A0) stands here"),
        (f"body: [{{conv: 8,{NBSP}name: a}}]\n", "a space of another kind (U+00A0) stands here"),
        (f"body: [{{conv: {{out:{NBSP}8}}}}]\n", "a space of another kind (U+00A0) stands here"),
        ("body: [{conv\u200b: 8}]\n", "an invisible character (U+200B) stands here"),
        ("params: {w: true}\nbody: [{conv: $(w ? 16 : 8)}]\n", "`? :` is not written here"),
        ("params: {w: true}\nbody:\n  - conv: $(w ? 16 : 8)\n", "`? :` is not written here"),
        ("params: {w: true}\nbody: [{conv: $(w?16:8)}]\n", "`? :` is not written here"),
        ('params: {w: 9}\nbody: [{conv: "$(w > 8 ? w + 1 : w)"}]\n', "`? :` is not written here"),
        ("params: {w: 8}\nbody: [{conv: {{ w }}}]\n", "`{{ }}` is of templates"),
        ("params: {w: 8}\nbody:\n  - conv: {{w * 2}}\n", "`{{ }}` is of templates"),
        ('params: {w: 8}\nbody: [{conv: "{{ w }}"}]\n', "conv takes an integer"),
        ('params: {w: 8}\nbody: [{conv: 8, name: "c{{ w }}"}]\n', "name takes letters"),
        ("params: {w: [1, 2]}\nbody: [{conv: $(w.0 × 2)}]\n", "unexpected `×`"),
        ("params: {w: 9}\nbody: [{conv: $(w – 2)}]\n", "unexpected `–`"),
        ("params: {w: 9}\nbody: [{conv: 8, when: $(w ≥ 2)}]\n", "unexpected `≥`"),
        ("params: {w: 2}\nbody: [{conv: $(w ^ 2)}]\n", "unexpected `^`"),
        ("params: {w: 2}\nbody: [{conv: 8, when: $(w > 1 && w < 3)}]\n", "unexpected `&&`"),
        ("params: {w: 2}\nbody: [{conv: 8, when: $(w > 1 || w < 3)}]\n", "unexpected `||`"),
        ('body: [{conv: 8, when: "$(2 in (1, 2))"}]\n', "a list has brackets"),
        ("body: [{conv: {out: 8, kernel: (3, 3)}}]\n", "a list has brackets"),
        ("body:\n  - conv:\n      out: 8\n      kernel: (3, 3)\n", "conv.kernel takes"),
        ("params: {w: (4, 8)}\nbody: [{for: {v: $w}, do: {conv: $v}}]\n", "a list has brackets"),
    ],
)
def test_foreign_writing(text: str, message: str, tmp_path: Path) -> None:
    assert_helps(text, tmp_path, message)


@pytest.mark.parametrize("after", ["HEAD", "a branch / with : colons"])
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("inner", ["  - conv: 8\n", "  - {conv: 8}\n  - relu\n", ""])
def test_conflict(after: str, side: int, inner: str, tmp_path: Path) -> None:
    ours, theirs = f"body:\n{inner}  - conv: 8\n", "body:\n  - conv: 16\n"
    text = f"{INPUT}<<<<<<< {after}\n{ours}=======\n{theirs}>>>>>>> {after}\n"
    (error,) = told(text, tmp_path)
    assert (error.span.line, error.message) == (
        2,
        "a conflict between two versions is not resolved",
    )
    assert "keep one side" in error.help
    assert not told(INPUT + (ours, theirs)[side], tmp_path)


def test_prose_keeps_its_characters(tmp_path: Path) -> None:
    text = f"about: “Deep”{NBSP}; residual – learning, 10{NBSP}000 images; a ? b\n"
    assert not told(f"{INPUT}{text}body: [relu] # – “x”{NBSP}y\n", tmp_path)


def test_prose_is_not_blamed_for_another_fault(tmp_path: Path) -> None:
    (error,) = told(f"{INPUT}about: “Deep”: learning\nbody: relu\n", tmp_path)
    assert error.message == "`:` cannot stand here"


@pytest.mark.parametrize(
    ("call", "plain"),
    [
        ("divisible(v, by=16)", "divisible(v, 16)"),
        ("divisible(v, least=48)", "divisible(v, 8, 48)"),
        ("divisible(v, by=4, least=48)", "divisible(v, 4, 48)"),
        ("divisible(v, least=48, by=4)", "divisible(v, 4, 48)"),
        ("divisible(v, 4, least=48)", "divisible(v, 4, 48)"),
        ("round(v / 7, digits=0)", "round(v / 7)"),
    ],
)
def test_arguments_by_name(call: str, plain: str) -> None:
    for value in range(1, 100, 7):
        assert evaluate(parse(call), {"v": value}) == evaluate(parse(plain), {"v": value})


@pytest.mark.parametrize(
    "text",
    [
        "params: {six: 6}\nbody: [{conv: six}]\n",
        "params: {six: 6, half: 0.5}\nbody: [{conv: {out: six}}, {dropout: half}]\n",
        "params: {six: 6}\nbody: [{conv: sixx}]\n",
        "params: {six: 6}\nbody: [{conv: 2 * six + 1}]\n",
        "params: {ks: [3, 5]}\nbody: [{for: {k: $ks}, do: [{conv: {out: 8, kernel: k}}]}]\n",
        "let: {w: 4}\nblocks: {A: {params: {out: int}, body: [{conv: out}, {conv: w}]}}\n"
        "body: [{A: {out: 3}}]\n",
        "body: [{conv: x.channels * 2}]\n",
        "body: [{conv: {out: 8, bias: yes}}, {conv: {out: 8, bias: None}}]\n",
        "body: [{upsample: {scale: 2, align_corners: None}}]\n",
        "body: [{conv: {out: '8'}}]\n",
        "body: [{conv: {out: 8, padding: valid}}]\n",
        "body: [{conv: 8}]\ninit: {conv: {weight: he_normal, bias: zeros}}\n",
        "body: [{conv: 8}]\ninit: {conv: {weight: {he_normal: {}}, bias: ones}}\n",
        "body: [{conv: 8}]\ninit: {conv: {weight: {glorot_uniform: {}}}}\n",
        "body: [{conv: 8}]\ninit: {conv: {weight: {normal: 0.02}}}\n",
        "body: [{conv: 8}]\ninit: {conv: {weight: {normal: {stddev: 0.1}}}}\n",
        "body:\n  - {conv: {out: 8, activation: relu}}\n  - bn\n",
        "body:\n  - {conv: 8, activation: ReLU}\n  - bn\n",
        "body:\n  - {conv: 8, rellu: }\n  - {conv: 8, batch_norm: }\n",
        "body:\n  - {conv: 8, kernel: 3}\n  - {max_pool: , kernel: 2}\n",
        "body: [{conv: {filters: 8, kernel_size: 3, strides: 2, use_bias: false}}]\n",
        "body: [{Conv2D: {out: 8}}, MaxPool2d: {kernel: 2}, GlobalAveragePooling2D, Dense: 10]\n",
        "body: [{nn.Conv2d: 8}, BatchNormalization, ReLU, maxpool: 2, batch_norm, Swish]\n",
        "input: [48]\nbody: [{reshape: [3, 4, 4]}, conv: 4]\n",
        "body: [{conv: {out: 4, kernel: [3 3]}}]\n",
        "body: [{conv: {out: 4, kernel: 3, padding: [1 1 2 2]}}]\n",
        "input: [3 8 8]\nbody: [{conv: 4}]\n",
        "params: {w: 3}\nbody: [{conv: w*2}, {conv: 2*4}, {conv: x.channels/2}]\n",
        "input: 784\nbody: [{linear: 10}]\n",
        "input: [784]\nbody: [relu, {conv: 10}]\n",
        "input: [3072]\nbody: [{max_pool: 2}]\n",
        "input: [100]\nbody: [{conv: 10}]\n",
        "input: [10]\nbody: [{conv: 10}]\n",
        "input: [2, 3, 8, 8]\nbody: [{conv: 10}]\n",
        "input: 3x32x32\nbody: [{conv: 10}]\n",
        "input: (3, 32, 32)\nbody: [{conv: 10}]\n",
        "input: [null, 3, 32, 32]\nbody: [{conv: 10}]\n",
        "input: [-1, 3, 32, 32]\nbody: [{conv: 10}]\n",
    ],
)
def test_words_of_others(text: str, tmp_path: Path) -> None:
    assert_helps(text, tmp_path)


@pytest.mark.parametrize(
    "node",
    [
        "{residual: [{conv: 6}], shortcut: [{conv: 6}]}",
        "{residual: , body: [{conv: 6}], shortcut: [{conv: 6}]}",
        "{residual: {conv: 3}, skip: true}",
        "{residual: {body: [{conv: 6}]}, shortcut: {conv: 6}, name: r}",
        "{residual: {shortcut: [{conv: 6}]}, body: [{conv: 6}]}",
        "{if: true, then: relu}",
        "{if: $(1 > 2), then: [{conv: 3}, relu]}",
    ],
)
def test_words_of_a_node_beside_it(node: str, tmp_path: Path) -> None:
    for around in ("- {}", "- seq: [{}]"):
        text = f"{INPUT}body:\n  {around.replace('{}', node)}\n"
        (error,) = told(text, tmp_path)
        (help,) = re.findall(r"`(.*)` in place of the node", error.help)
        assert not told(text.replace(node, help), tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "  - {conv: {out: 3, kernel: 3}%}",
        "  - {conv: {out: 3, kernel: [3, 3]%}}",
        "  - {conv: {out: 3, kernel: [3, 3]}%, name: a}",
        "  - concat: [{conv: 3}%, relu]",
        "  - concat: [{conv: 3}, relu]%",
        "  - conv: {out: 3}%",
    ],
)
@pytest.mark.parametrize("bracket", "]}")
def test_a_bracket_too_many(bracket: str, line: str, tmp_path: Path) -> None:
    for after in ("", "\n  - relu\n", "  # {a: [b]}\n  - relu\n"):
        text = f"{INPUT}body:\n{line}{after}"
        (error,) = told(text.replace("%", bracket), tmp_path)
        assert error.message == f"one `{bracket}` too many"
        lines = text.replace("%", bracket).split("\n")
        was = lines[error.span.line - 1]
        lines[error.span.line - 1] = was[: error.span.column - 1] + was[error.span.column :]
        assert not told("\n".join(lines), tmp_path)


@pytest.mark.parametrize("value", ["[3] 4", "[3] x]y", "{a: 1} b", "[3]]]", "{out: 3}}]"])
def test_a_bracket_that_is_not_alone_at_fault_stays(value: str, tmp_path: Path) -> None:
    (error,) = told(f"{INPUT}body:\n  - conv: {value}\n  - relu\n", tmp_path)
    assert "too many" not in error.message


@pytest.mark.parametrize("word", ["if", "then", "else", "elif"])
def test_a_condition_is_when(word: str, tmp_path: Path) -> None:
    for node in (f"{{{word}: relu}}", f"{{conv: 3, {word}: true}}", f"{{{word}: [{{conv: 3}}]}}"):
        (error,) = told(f"{INPUT}body: [{node}]\n", tmp_path)
        assert "`{conv: 8, when: $deep}`" in error.help
    assert not told(f"{INPUT}body: [{{concat: {{then: relu}}}}]\n", tmp_path)  # a label


CHOSEN = {
    "{if: $deep, then: {conv: 4}}": "{conv: 4, when: $deep}",
    "{if: $deep, then: [{conv: 4}, relu]}": "{seq: [{conv: 4}, relu], when: $deep}",
    "{if: $deep, conv: 4}": "{conv: 4, when: $deep}",
    "{if: $deep, then: {conv: 4}, else: {conv: 8}}": "{conv: $(4 if deep else 8)}",
    "{if: $(n > 2), then: [bn], else: [relu, bn]}": "{seq: [{relu: , when: $(n < 3)}, bn]}",
}
"""A choice as other languages write it, and a node that does the same."""
PLACES = [
    "body:\n  - NODE\n",
    "body: [{residual: NODE}]\n",
    "body: [{residual: {body: NODE}}]\n",
    "body: [{dense: NODE}]\n",
    "body: [{dense: [relu, NODE]}]\n",
    "body: [{seq: NODE}]\n",
    "body: [{repeat: 2, do: NODE}]\n",
    "body: [relu]\noutputs: {o: {body: NODE}}\n",
    "blocks: {B: {body: NODE}}\nbody: [B]\n",
    *(f"body: [{{{op}: [NODE, {{conv: 4}}]}}]\n" for op in ("concat", "add", "mul", "split")),
    *(f"body: [{{{op}: {{a: NODE, b: {{conv: 4}}}}}}]\n" for op in ("concat", "add", "split")),
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("node", CHOSEN)
def test_a_choice_is_one_message_wherever_a_node_stands(
    place: str, node: str, tmp_path: Path
) -> None:
    head = "input: [4, 8, 8]\nparams: {deep: true, n: 3}\n"
    (error,) = told(head + place.replace("NODE", node), tmp_path)
    assert "each node says when it stands" in error.message
    found = re.search(r"`(.*)` in place of the node", error.help)
    assert found
    costs = []
    for whole in (found[1], CHOSEN[node]):
        path = tmp_path / "net.yaml"
        text = head + place.replace("NODE", whole)
        path.write_text(text)
        with suppress(SpecError):  # where the branches do not fit, neither does
            costs.append(cnndsl.cost(cnndsl.check(path)).params)
    assert not costs or len(costs) == 2
    assert len({*costs}) <= 1


@pytest.mark.parametrize("word", ["view", "reshape"])
@pytest.mark.parametrize("sizes", ["-1", "[-1]", "{shape: [-1]}", "[-1, 192]", "[8, -1]"])
@pytest.mark.parametrize("more", ["", ", name: flat", ", shape: [192]"])
def test_sizes_that_make_flat_are_flatten(word: str, sizes: str, more: str, tmp_path: Path) -> None:
    text = f"input: [3, 8, 8]\nbody:\n  - {{{word}: {sizes}{more}}}\n  - {{linear: 4}}\n"
    (error,) = told(text, tmp_path)
    assert "flatten" in error.help
    assert not told(follow(text, error), tmp_path)


@pytest.mark.parametrize(
    ("node", "left"),
    [
        ("{conv: {in_channels: 3, out: 8}}", "{conv: {out: 8}}"),
        ("{conv_transpose: {out: 8, in_channels: 3, kernel: 2}}", ""),
        ("{linear: {in_features: 192, out: 8, last_dim: true}}", ""),
        ("{bn: {num_features: 3}}", "bn"),
        ("{group_norm: {groups: 3, num_channels: 3}}", ""),
        ("{layer_norm: {normalized_shape: [3, 8, 8]}}", ""),
        ("{relu: {inplace: true}}", "relu"),
        ("{dropout: {p: 0.1, inplace: true}}", "{dropout: 0.1}"),
        ("{flatten: {start_dim: 1}}", "flatten"),
        ("{flatten: {end_dim: -1}}", "flatten"),
    ],
)
def test_arguments_that_are_not_needed(node: str, left: str, tmp_path: Path) -> None:
    (error,) = told(f"{INPUT}body:\n  - {node}\n", tmp_path)
    assert error.help.startswith("leave it away: ")
    word = node[error.span.column - 5 : error.span.end_column - 5]
    without = re.sub(rf"(, )?{word}: (\[[^]]*\]|[^,}}]*)(?(1)|(, )?)", "", node)
    assert word not in without
    costs = []
    for one in (without, left or without):
        path = tmp_path / "net.yaml"
        path.write_text(f"{INPUT}body:\n  - {one}\n")
        costs.append([(n.op, n.shape) for n in cnndsl.check(path).nodes])
    assert costs[0] == costs[1]


@pytest.mark.parametrize(("was", "now"), [("start_dim: 2", "start: 1"), ("end_dim: 2", "end: 1")])
def test_dimensions_are_counted_without_the_batch(was: str, now: str, tmp_path: Path) -> None:
    (error,) = told(f"{INPUT}body: [{{flatten: {{{was}}}}}]\n", tmp_path)
    assert f"`{now}`" in error.help
    assert not told(f"{INPUT}body: [{{flatten: {{{now}}}}}]\n", tmp_path)


def without_primary() -> list[str]:
    """The ops whose arguments all have names and may be left away."""
    found = []
    for name, op in registry().items():
        if not op.internal and not any(arg.primary for arg in op.args.values()):
            with suppress(Exception):
                op.create({})
                found.append(name)
    return found


@pytest.mark.parametrize("op", without_primary())
@pytest.mark.parametrize("value", ["1", "[1, 2]"])
def test_ops_without_a_short_form(op: str, value: str, tmp_path: Path) -> None:
    text = f"input: [8, 32, 32]\nbody:\n  - {op}: {value}\n"
    (error,) = told(text, tmp_path)
    assert "takes a mapping of arguments" in error.message
    repaired, plain = follow(text, error), f"input: [8, 32, 32]\nbody: [{op}]\n"
    assert [e.message for e in told(repaired, tmp_path)] == [
        e.message for e in told(plain, tmp_path)
    ]


ATTRIBUTES = {"name": "c", "when": "true", "from": "input", "shape": "[8, 8, 8]", "note": "n"}


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("conv", "out: 8"),
        ("conv", "out: $(4 * 2), kernel: 1"),
        ("conv_transpose", "out: 8, kernel: 1"),
        ("residual", "body: [{conv: 3}, {conv: 8}], shortcut: {conv: 8}"),
    ],
)
@pytest.mark.parametrize(
    "within", [*[(one,) for one in ATTRIBUTES], ("name", "note"), ("shape", "from", "name")]
)
def test_attributes_stand_beside_the_op(
    op: str, args: str, within: tuple[str, ...], tmp_path: Path
) -> None:
    given = ", ".join(f"{word}: {ATTRIBUTES[word]}" for word in within)
    head = "input: [3, 8, 8]\nbody:\n  - relu\n"
    text = f"{head}  - {{{op}: {{{args}, {given}}}}}\n"
    errors = told(text, tmp_path)
    assert len(errors) == len(within)
    assert all(error.help.startswith(f"it stands beside `{op}`: ") for error in errors)
    repaired = follow(text, errors[0])
    costs = []
    for one in (repaired, f"{head}  - {{{op}: {{{args}}}, {given}}}\n"):
        path = tmp_path / "net.yaml"
        path.write_text(one)
        costs.append([(n.path, n.op, n.inputs, n.shape) for n in cnndsl.check(path).nodes])
    assert costs[0] == costs[1]


@pytest.mark.parametrize("word", ["name", "from", "shape"])
def test_attributes_stand_beside_the_block(word: str, tmp_path: Path) -> None:
    text = f"{INPUT}blocks: {{B: {{params: {{k: 3}}, body: [{{conv: $k}}]}}}}\n"
    (error,) = told(f"{text}body: [{{B: {{k: 2, {word}: a}}}}]\n", tmp_path)
    assert f"`{{B: {{}}, {word}: …}}`" in error.help
    own = f"{INPUT}blocks: {{B: {{params: {{{word}: a}}, body: [{{conv: 3, name: ${word}}}]}}}}\n"
    assert not told(f"{own}body: [{{B: {{{word}: b}}}}]\n", tmp_path)


@pytest.mark.parametrize("uses", ["[block]", "[{block: {}}, {block: {k: 3}}]", "[{relu: }, block]"])
def test_a_block_of_a_name_that_is_none_is_told_where_it_is_declared(
    uses: str, tmp_path: Path
) -> None:
    text = f"{INPUT}blocks: {{block: {{params: {{k: 3}}, body: [{{conv: $k}}]}}}}\n"
    (error,) = told(f"{text}body: {uses}\n", tmp_path)
    assert (error.span.line, error.message) == (2, "`block` is not a name in blocks")
    right = f"{text}body: {uses}\n".replace("block:", "Block:").replace("block]", "Block]")
    assert not told(right.replace("[block", "[Block"), tmp_path)


@pytest.mark.parametrize(
    ("key", "section"),
    [
        ("lr: 0.1", "optimizer: {lr: 0.1}"),
        ("weight_decay: 0.01", "optimizer: {weight_decay: 0.01}"),
        ("step_size: 3", "schedule: {step_size: 3}"),
        ("flip: 0.5", "augment: {flip: 0.5}"),
        ("decay: 0.9", "ema: {decay: 0.9}"),
    ],
)
def test_keys_of_a_section_beside_it(key: str, section: str, tmp_path: Path) -> None:
    text = f"{INPUT}body: [{{conv: 8}}, global_avg_pool]\ntrain: {{epochs: 3, KEY}}\n"
    (error,) = told(text.replace("KEY", key), tmp_path)
    assert f"`{{{section}}}`" in error.help
    name = section.replace("{step", "{name: step, step")
    assert not told(text.replace("KEY", name), tmp_path)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("blocks: {B: [relu, bn]}", "blocks: {B: {body: [relu, bn]}}"),
        ("blocks: {B: relu}", "blocks: {B: {body: relu}}"),
        ("blocks: {B: [{conv: 3}, {residual: [bn, relu]}]}", ""),
        ("outputs: {a: c}", "outputs: {a: {from: c}}"),
        ("outputs: {a: c, b: {from: d}}", "outputs: {a: {from: c}, b: {from: d}}"),
        ("outputs: [c, d]", "outputs: {c: {from: c}, d: {from: d}}"),
    ],
)
def test_values_that_stand_for_a_mapping(was: str, now: str, tmp_path: Path) -> None:
    uses = "B" if "B" in was else "relu"
    text = f"{INPUT}{was}\nbody: [{{conv: 3, name: c}}, {{conv: 4, name: d}}, {uses}]\n"
    (error,) = told(text, tmp_path)
    repaired = follow(text, error)
    assert not now or now in repaired
    assert not told(repaired, tmp_path)


@pytest.mark.parametrize("block", ["Nothing", "Basicblocc"])
def test_a_block_that_a_file_does_not_have(block: str, tmp_path: Path) -> None:
    base = "input: [3, 8, 8]\nblocks: {BasicBlock: {body: relu}}\nbody: [BasicBlock]\n"
    for text in (base, "input: [3, 8, 8]\nbody: [relu]\n"):
        (tmp_path / "base.yaml").write_text(text)
        spec = f"{INPUT}import: {{b: base.yaml}}\nbody: [b.{block}]\n"
        (error,) = told(spec, tmp_path)
        assert error.help.endswith("a whole network is taken with `extends`") or "did" in error.help
        assert error.help[0].isalpha()


KEYS = {
    "body": ["layers", "model", "network", "architecture"],
    "params": ["parameters", "hyperparameters"],
    "blocks": ["modules"],
    "about": ["description"],
    "from": ["input", "src"],
    "name": ["id", "label"],
    "note": ["comment"],
    "shape": ["output_shape"],
}


@pytest.mark.parametrize(("key", "word"), [(key, w) for key, ws in KEYS.items() for w in ws])
def test_keys_as_others_call_them(key: str, word: str, tmp_path: Path) -> None:
    text = (
        "about: A network\nparams: {w: 8}\ninput: [3, 8, 8]\nblocks: {B: {body: relu}}\nbody:\n"
        "  - {conv: $w, name: c}\n  - {relu: , from: c, note: as it is}\n  - B\n"
        "  - {conv: 4, shape: [4, 8, 8], name: d}\n"
    )
    wrong = re.sub(rf"(?m)(^|[{{ ]){key}:", rf"\1{word}:", text, count=1)
    if key == "body":
        wrong = text.replace("\nbody:", f"\n{word}:")
    (error,) = told(wrong, tmp_path)
    assert error.help == f"did you mean `{key}`?"
    assert follow(wrong, error) == text


@pytest.mark.parametrize("flat", ["flatten", "global_avg_pool"])
def test_what_made_a_value_flat_is_named(flat: str, tmp_path: Path) -> None:
    (error,) = told(f"{INPUT}body: [{flat}, relu, {{linear: 4}}, {{conv: 4}}]\n", tmp_path)
    assert error.help == f"it is flat already: move this before `{flat}`"


def test_the_batch_of_a_given_input_is_left_out_there(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"{INPUT}body: [{{conv: 4}}]\n")
    with pytest.raises(SpecError) as caught:
        cnndsl.check(path, input=[2, 3, 8, 8])
    (error,) = caught.value.diagnostics
    assert "`--input 3,8,8`, in Python `input=[3, 8, 8]`" in error.help
    cnndsl.check(path, input=[3, 8, 8])


@pytest.mark.parametrize(
    ("text", "not_said"),
    [
        ("body: [{conv: six}]", "$six"),
        ("params: {six: [6]}\nbody: [{conv: six}]", "$six"),
        ("params: {valid: true}\nbody: [{conv: {out: 8, padding: valid}}]", "$valid"),
        ("params: {width: 8}\nbody: [{conv: height * 2}]", "$(height"),
        ("body: [{conv: {out: 8, activation: 0.5x}}]", "dilation"),
        ("body: [{conv: {out: 8, dilations: true}}]\ninit: {}", "$"),
        ("body: [{conv: {out: 8, kernel: 3, kernal: 5}}]", "did you mean"),
        ("body: [{conv: 8, from: input, form: input}]", "did you mean"),
        ('body: [{conv: "50%"}, {dropout: 50%}]', "$"),
        ("body: [{conv: 8/}, {conv: 2**}, {conv: (8}, {conv: 3 + }]", "$"),
        ("body: [{conv: 1/2}, {conv: 2-2}, {conv: 2*x}, {conv: 1/0}]", "$"),
        ("params: {w: 3}\nbody: [{conv: w/2}, {conv: w/}]", "$"),
    ],
)
def test_nothing_is_said_that_leads_to_the_next_error(
    text: str, not_said: str, tmp_path: Path
) -> None:
    for error in told(f"{INPUT}{text}\n", tmp_path):
        assert not_said not in error.help


@pytest.mark.parametrize(
    "node",
    [
        "{Fuse: {}, from: [a, b]}",
        "{relu: , from: [a, b], name: joined}",
        "{concat: [], from: [a, b]}",
        "{add: , from: [a, b], name: sum}",
        "{from: [a, b]}",
        "{conv: 8, from: [a]}",
        "{add: {from: [a, b]}}",
        "{concat: {branches: [{from: a}, relu], dim: 1}}",
        "{concat: [a, b]}",
        "{split: {sizes: [4, 4], branches: [[], {conv: 4}]}}",
        "{conv: 8, name: convs.0}",
        "{relu: , name: x.y.z}",
    ],
)
def test_forms_of_others(node: str, tmp_path: Path) -> None:
    blocks = "blocks: {Fuse: {body: relu}}\n" if "Fuse" in node else ""
    body = "body:\n  - {conv: 8, name: a}\n  - {conv: 8, name: b}\n"
    errors = told(f"{INPUT}{blocks}{body}  - {node}\n", tmp_path)
    assert len(errors) == (2 if "[a, b]}" in node and "from" not in node else 1)
    assert_helps(f"{blocks}{body}  - {node}\n", tmp_path)


@pytest.mark.parametrize("op", ["concat", "add", "mul", "split"])
@pytest.mark.parametrize(
    "branches",
    [
        "{for: {k: [3, 5]}, do: {conv: {out: 4, kernel: $k, name: c$k}}}",
        "[{for: {k: [3, 5]}, do: {conv: {out: 4, kernel: $k}}}]",
        "[{repeat: 2, do: {conv: 4}}]",
    ],
)
def test_a_loop_of_branches_is_one_mistake(op: str, branches: str, tmp_path: Path) -> None:
    text = f"input: [8, 8, 8]\nbody:\n  - {{{op}: {branches}, name: m}}\n  - {{relu: , from: m}}\n"
    (error,) = told(text, tmp_path)
    assert "loop" in error.message
    assert f"write each branch out, as in `{op}: [{{conv: 4}}, {{conv: 4}}]`" in error.help
    out = f"input: [8, 8, 8]\nbody: [{{{op}: [{{conv: 4}}, {{conv: 4}}]}}]\n"
    assert not told(out, tmp_path)
    within = f"input: [8, 8, 8]\nbody: [{{{op}: [[{{repeat: 2, do: {{conv: 8}}}}]]}}]\n"
    assert not told(within, tmp_path)


@pytest.mark.parametrize(
    "node",
    [
        *("relu", "{relu: , name: x}", "{A: , name: x}", "{A: {}}", "{seq: [relu, bn]}", "A"),
        *("{repeat: 2, do: relu}", "{relu: , when: false}", "{from: input}", "{conv: 3}"),
    ],
)
def test_a_residual_takes_one_node_without_a_list(node: str, tmp_path: Path) -> None:
    texts = [
        f"{INPUT}blocks: {{A: {{body: relu}}}}\nbody: [A, {{residual: {body}}}]\n"
        for body in (node, f"{{body: {node}}}")
    ]
    graphs = []
    for text in texts:
        (tmp_path / "spec.yaml").write_text(text)
        graph = cnndsl.check(tmp_path / "spec.yaml")
        graphs.append([(node.path, node.op, node.inputs, node.shape) for node in graph.nodes])
    assert graphs[0] == graphs[1]


BLOCK = """\
blocks:
  B:
    params: {out: int, stride: 1}
    body:
      - residual: [{conv: {out: $out, kernel: 3, stride: $stride, padding: 1}}, {conv: $(out * 2)}]
body: [{conv: 4}, {B: {out: 4}}, {B: {out: 8, stride: 2}}, {B: {out: 8, stride: 4}}]
"""


@pytest.mark.parametrize(
    "text",
    [
        BLOCK,
        BLOCK.replace("$(out * 2)", "$out"),
        "body:\n  - residual: [{conv: {out: 8, kernel: 3, stride: 2, padding: 1}}]\n",
        "body:\n  - residual: [{conv: {out: 8, kernel: 3}}]\n",
        "body:\n  - residual: [{conv: {out: 3, kernel: 5}}]\n",
        "body:\n  - residual: [{upsample: 2}]\n",
        "body:\n  - {for: {k: [4, 8]}, do: {conv: $k, name: c}}\n",
        "body:\n  - {for: {k: [4, 8]}, do: {conv: $k}, name: stage}\n",
        "body:\n  - {for: {k: [4, 8]}, do: [{for: {m: 3}, do: {relu: , name: c$m}}]}\n",
        "body:\n  - {repeat: 3, do: {relu: , name: conv1}}\n",
        "body:\n  - {repeat: 3, do: [relu], name: stage}\n",
        "body:\n  - {max_pool: 2, name: p}\n  - {concat: [[], {from: input}]}\n",
        "input: [1, 3, 32, 32]\nbody: [{conv: {out: 8, kernel: 7}}]\n",
        "input: [28, 28, 1]\nbody: [{conv: {out: 8, kernel: 3}}]\n",
        "input: [224, 224, 3]\nbody: [{conv: {out: 8, kernel: 7}}]\n",
    ],
)
def test_shapes_and_names(text: str, tmp_path: Path) -> None:
    assert_helps(text, tmp_path)


def test_a_shortcut_is_written_with_the_parameters_of_its_block(tmp_path: Path) -> None:
    (error, *_) = told(INPUT + BLOCK.replace("$(out * 2)", "$out"), tmp_path)
    assert "`shortcut: [{conv: {out: $out, kernel: 1, stride: $stride}}]`" in error.help


@pytest.mark.parametrize("op", ["max_pool", "avg_pool"])
@pytest.mark.parametrize("kernel", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_padding_of_pools(op: str, kernel: int, stride: int, tmp_path: Path) -> None:
    for side in (31, 32, 33):
        node = f"{op}: {{kernel: {kernel}, stride: {stride}, padding: same}}"
        out = -(-side // stride)
        shape = f"[3, {out}, {out}]"
        text = f"input: [3, {side}, {side}]\nbody:\n  - {{{node}, shape: {shape}}}\n"
        assert_helps(text, tmp_path)


@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_padding_of_convolutions(
    kernel: int, stride: int, dilation: int, tmp_path: Path
) -> None:
    for side in (31, 32, 33):
        args = f"out: 4, kernel: {kernel}, stride: {stride}, dilation: {dilation}"
        out = -(-side // stride)
        node = f"conv: {{{args}, padding: same}}, shape: [4, {out}, {out}]"
        assert_helps(f"input: [3, {side}, {side}]\nbody:\n  - {{{node}}}\n", tmp_path)


def test_a_border_of_minus_infinity_is_that_of_the_nearest(tmp_path: Path) -> None:
    pad = "{pad: {padding: [0, 1, 1, 2], value: -.inf}}"
    text = f"{INPUT}body:\n  - {pad}\n  - {{max_pool: {{kernel: 3, stride: 2}}}}\n"
    (error,) = told(text, tmp_path)
    assert "`mode: replicate` in place of `value`" in error.help
    assert not told(text.replace("value: -.inf", "mode: replicate"), tmp_path)
    x = torch.randn(2, 3, 9, 8)
    for around in [(0, 1, 0, 1), (1, 1, 1, 1), (0, 1, 1, 2), (2, 2, 0, 0)]:
        lowest = functional.pad(x, around, value=-torch.inf)
        nearest = functional.pad(x, around, mode="replicate")
        for stride in (1, 2, 3):
            pooled = [functional.max_pool2d(image, 3, stride) for image in (lowest, nearest)]
            assert torch.equal(*pooled)


ONE_MESSAGE = [
    ("body:\n  - {for: {k: [4, 8, 16]}, do: {conv: $k}, name: stage}\n", "`stage` is taken"),
    ("body:\n  - {repeat: 3, do: [{conv: 4}, relu], name: stage}\n", "`stage` is taken"),
    ("body:\n  - {residual: {bdy: [relu]}}\n", "`bdy` in residual"),
    ("body:\n  - {residual: {bdy: [relu], shortcut: []}}\n", "`bdy` in residual"),
    ("body:\n  - {residual: {body: [{conv: 4}], shotcut: {conv: 4}}}\n", "`shotcut` in residual"),
    ("body:\n  - {conv: 4, name: a}\n  - {relu: , name: a}\n", "`a` is taken"),
    (
        "body:\n  - {name: a, seq: [{conv: 4, name: x1}]}\n  - {name: b, seq: [bn]}\n"
        "  - {name: a, seq: [{conv: 4, name: x2}]}\n",
        "`a` is taken",
    ),
    (
        "body:\n  - {conv: 4, name: d}\n  - {concat: {up: [], skip: {from: d}}}\n"
        "  - {concat: {up: [], skip: {from: d}}}\n",
        "the names `up` and `skip` are taken",
    ),
    ("body:\n  - {repeat: 3, do: [{add: {a: [], b: {conv: 4}}}]}\n", "`a` and `b` are taken"),
    ("body:\n  - {for: {k: 3}, do: [{mul: {a: [], b: relu}}]}\n", "`a` and `b` are taken"),
    ("body:\n  - {split: {l: [], r: relu}, name: s}\n  - {relu: , name: s}\n", "`s` is taken"),
]


@pytest.mark.parametrize(("text", "message"), ONE_MESSAGE)
def test_one_mistake_is_one_message(text: str, message: str, tmp_path: Path) -> None:
    (error,) = told(f"input: [4, 16, 16]\n{text}", tmp_path)
    assert message in error.message
    assert_helps(f"input: [4, 16, 16]\n{text}", tmp_path, message)


def test_values_of_a_loop_with_one_name_are_not_told_again(tmp_path: Path) -> None:
    loop = "{for: {k: [4, 8]}, do: [{conv: $k, name: c}, {from: c}], name: stage}"
    text = f"{INPUT}body:\n  - {loop}\n  - {{from: stage}}\n  - {{from: stage.c}}\n"
    assert [error.message for error in told(text, tmp_path)] == ["the name `stage` is taken"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("params: {d: [1, 2]}\nbody: [{for: {k: '$(d[:-1])'}, do: {conv: $k}}]", "no slices"),
        ("params: {d: [1, 2]}\nbody: [{for: {k: '$([2 * v for v in d])'}, do: relu}]", "written"),
        ("body: [{conv: 8}, {split: {sizes: [2, 6]}}]", "its branches are a list"),
        ("body: [relu]\noutputs: {o: {from: [a, b]}}", "a body joins them"),
        ("body: [conv 8]", "write `conv: 8`"),
        ("body: [{residual: {}}, relu]", "as in `residual: [{conv: 8}, relu]`"),
        ("input: [28, 28, 1]\nbody: [{conv: {out: 8, kernel: 3}}]", "`input: [1, 28, 28]`"),
        ("import: {r: resnet}\nbody: [{r.ResNet: {}}]", "taken with `extends`"),
        ("import: {r: resnet}\nbody: [{r.bottleneck: {}}]", "did you mean `r.Bottleneck`?"),
    ],
)
def test_what_there_is_instead(text: str, words: str, tmp_path: Path) -> None:
    text = text if text.startswith("input") else INPUT + text
    (error,) = told(f"{text}\n", tmp_path)
    assert words in error.help


def test_an_image_with_its_channels_last_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    node = "{conv: {out: 8, kernel: 3, padding: 1}}"
    for shape, told_ in [
        ("[224, 224, 3]", True),
        ("[28, 28, 1]", True),
        ("[8, 1, 1]", False),
        ("[3, 224, 224]", False),
        ("[64, 100, 1]", False),
    ]:
        path.write_text(f"input: {shape}\nbody: [{node}]\n")
        warnings = [d for d in cnndsl.check(path).diagnostics if "channels" in d.help]
        assert len(warnings) == told_, shape


@pytest.mark.parametrize(
    ("value", "message", "help"),
    [
        ("b=$(w)", "unknown name `w`", "known: a"),
        ("b=$(aa)", "unknown name `aa`", "did you mean `a`?"),
        ("b=$(x.height)", "unknown name `x`", "known: a"),
        ("a=$(b + 1)", "`b` is not known before `a`", "the parameters that stand before it"),
        ("a=$a", "`a` is not known before `a`", "the parameters that stand before it"),
    ],
)
def test_names_in_a_value_from_outside(value: str, message: str, help: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(f"params: {{a: 4, b: 8}}\n{INPUT}body: [{{conv: $a}}, {{conv: $b}}]\n")
    with pytest.raises(SpecError) as caught:
        checked(str(path), None, [value], None)
    (error,) = caught.value.diagnostics
    assert (error.span.source.path, error.message) == ("--set", message)
    assert help in error.help
    assert len(checked(str(path), None, ["b=$(2 * a)"], None).layers) == 2


def test_modules_of_pytorch_are_told_as_ops(tmp_path: Path) -> None:
    """Each class of torch.nn that some op becomes, with and without the names around it."""
    made: dict[str, set[str]] = {}
    for name, cls in registry().items():
        for values in ({}, {"out": 4}, {"kernel": 3}, {"groups": 2}, {"scale": 2}, {"norm": 1}):
            for x in (Shape((4, 8, 8)), Shape((4,))):
                with suppress(Exception):
                    op = cls.create(values)
                    target = op.module(x).target if op.infer((x,)) else ""
                    if target.startswith("nn.") and not cls.internal:
                        made.setdefault(target.removeprefix("nn."), set()).add(name)
    made.pop("Parameter")
    assert len(made) > 40
    for word, ops in made.items():
        for written in (word, f"nn.{word}", f"torch.nn.{word}", f"{{{word}: {{}}}}"):
            (error, *more) = told(f"{INPUT}body:\n  - {written}\n", tmp_path)
            found = re.search(r"(?:the op is|did you mean) `(\w+)`", error.help)
            assert found, (written, str(error))
            assert found[1] in ops, (written, str(error))
            assert not more


def test_features_of_a_shipped_network_by_name(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("extends: resnet50\noutputs: {c2: {from: layer1}, c3: {from: layer2}}\n")
    graph = cnndsl.check(path)
    shapes = {output.name: graph.nodes[output.node].shape for output in graph.outputs}
    assert shapes == {"c2": (256, 56, 56), "c3": (512, 28, 28)}
    whole = {node.path: node.weights for node in cnndsl.check("resnet50").layers}
    assert all(whole[node.path] == node.weights for node in graph.layers)
    assert not any(node.path.startswith(("layer3", "layer4", "fc")) for node in graph.layers)
    path.write_text("extends: resnet50\noutputs: {c2: {from: layer9}}\n")
    assert [error.span.line for error in told(path.read_text(), tmp_path)] == [2]


MISPLACED = re.compile("unknown|not both|gives values|does not read|again|names no op|one node has")


@pytest.mark.parametrize(
    "text",
    [
        "input: [3, 8, 8]\nbody: [relu]\nxyzzy: 3\n",
        "inputs: {a: [3, 8, 8]}\nbody: [relu]\nxyzzy: 3\n",
        "extends: resnet18\nxyzzy: 3\n",
        "input: [3, 8, 8]\nblocks: {A: {xyzzy: 3, body: relu}}\nbody: [A]\n",
        "input: [3, 8, 8]\nbody: [{conv: 4, xyzzy: 3}]\n",
        "input: [3, 8, 8]\nbody: [{conv: {out: 4, xyzzy: 3}}]\n",
        "input: [3, 8, 8]\nbody: [{residual: {body: relu, xyzzy: 3}}]\n",
        "input: [3, 8, 8]\nbody: [{for: {i: 3}, do: relu, xyzzy: 3}]\n",
        "input: [3, 8, 8]\nbody: [relu]\noutputs: {o: {xyzzy: 3}}\n",
        "input: [3, 8, 8]\nbody: [relu]\nexpect: {xyzzy: 3}\n",
        "input: [3, 8, 8]\nbody: [{conv: 4}]\ninit: {conv: {weight: {normal: {xyzzy: 3}}}}\n",
        "input: [3, 8, 8]\nbody: [{conv: 4}]\ntrain: {optimizer: {name: sgd, xyzzy: 3}}\n",
        "input: [3, 8, 8]\nbody: [{conv: 4}]\ntrain: {optimizer: {name: adamw, xyzzy: 3}}\n",
        "input: [3, 8, 8]\nbody: [{conv: 4}]\ntrain: {schedule: {name: step, xyzzy: 3}}\n",
        "input: [3, 8, 8]\nbody: [{conv: 4}]\ntrain: {recipes: {r: {xyzzy: 3}}}\n",
    ],
)
def test_the_known_words_may_stand_there(text: str, tmp_path: Path) -> None:
    (error,) = told(text, tmp_path)
    assert error.help.startswith("known: ")
    for word in error.help.removeprefix("known: ").split(", "):
        for other in told(text.replace("xyzzy", word), tmp_path):
            assert not MISPLACED.search(other.message), f"{word}: {other}"


@pytest.mark.parametrize(
    "text",
    [
        "body: [{dropout: 50}]\n",
        "body: [{dropout: 50%}, {dropout: {p: 12.5%}}, {stochastic_depth: 20 %}]\n",
        "body: [{conv: [3, 8, 3]}, {conv: [16, 3]}, bn, {bn: {momentum: 10%}}]\n",
        "body: [{conv: [3, 8, 3, 2, 1]}, {max_pool: [3, 2, 1]}, flatten, {linear: [800, 10]}]\n",
        "body: [{conv: 8}, {group_norm: [2, 8]}]\n",
        "body: [{for: {i: range(3)}, do: {conv: $(4 + i)}}]\n",
        "body: [{for: {i: 'range(2, 5)', k: range(3)}, do: {conv: $(i + k)}}]\n",
        "body: [{for: i in range(3), do: {conv: $(4 + i)}}]\n",
        "body:\n  - {for: 'w in [4, 8, 16]', do: {conv: $w}}\n",
        "params: {ws: [4, 8]}\nbody:\n  - {for: 'for w in ws:', do: {conv: $w}}\n",
        "params: {ws: [4, 8], n: 3}\nbody:\n  - {for: w in $ws, do: {conv: $w}}\n"
        "  - {for: i in range(n), do: {conv: $(i + 1)}}\n  - {for: {w: ws}, do: {conv: $w}}\n",
        "body:\n  - repeat: 3\n    body: [{conv: 3}]\n",
        "body:\n  - for: {c: [3, 4]}\n    body: [{conv: $c}]\n",
        "body: [{conv: {out: 4, groups: 2}}]\n",
        "body: [{conv: {out: 6, groups: 9}}]\n",
        "body: [{conv: 6}, {group_norm: 4}]\n",
        "body: [{conv: 6}, {channel_shuffle: 5}]\n",
        "params: {g: 4}\nbody: [{conv: 6}, {group_norm: $g}]\n",
        "body: [{conv: {out: 4, kernel: 40}}]\n",
        "body: [{conv: {out: 4, kernel: [40, 3], padding: 1}}]\n",
        "body: [{conv: {out: 4, kernel: 40, padding: 2, dilation: 3}}]\n",
        "input: [3, 8, 20]\nbody: [{max_pool: 32}]\n",
        "params: {k: 64}\nbody: [{avg_pool: {kernel: $k, stride: 1}}]\n",
        "body: [{conv: 4, name: a}]\ntrain: {freeze: a.*}\n",
        "body: [{conv: 4, name: a}]\ntrain: {freeze: '*a.*'}\n",
        "body: [{conv: 4}]\ntrain: {freeze: []}\n",
        "body: [{conv: 4}]\ntrain: {data: CIFAR10}\n",
        "body: [{conv: 4}]\ntrain: {data: {name: Mnist}, optimizer: ADAMW}\n",
        "body: [{conv: {out: 8, padding_mode: Reflect}}, {upsample: {scale: 2, mode: Bilinear}}]\n",
    ],
)
def test_values_of_another_form(text: str, tmp_path: Path) -> None:
    assert_helps(text, tmp_path)


@pytest.mark.parametrize("word", ["in", "in_channels", "in_planes", "num_features"])
def test_what_is_inferred_is_left_away(word: str, tmp_path: Path) -> None:
    for node in (f"{{conv: {{{word}: 3, out: 4}}}}", f"{{group_norm: {{{word}: 3, groups: 3}}}}"):
        (error,) = told(f"{INPUT}body: [{node}]\n", tmp_path)
        assert "leave it away" in error.help
        assert not told(f"{INPUT}body: [{node.replace(f'{word}: 3, ', '')}]\n", tmp_path)


def test_an_op_without_what_it_needs_shows_how_it_is_written(tmp_path: Path) -> None:
    bare = {op: "{}" for op, cls in registry().items() if not cls.internal}
    found = 0
    for op in bare:
        for node in (op, f"{{{op}: {{}}}}", f"{{{op}: , name: a}}"):
            text = f"input: [4, 8, 8]\nbody: [conv: 4, {node}]\n"
            needs = [e for e in told(text, tmp_path) if f"{op} needs `" in e.message]
            for error in needs:
                (help,) = re.findall(r"[Aa]s in `(.*)`", error.help)
                found += 1
                again = told(text.replace(node, f"{{{help}}}"), tmp_path)
                assert not [e for e in again if f"{op} needs `" in e.message or e.code == "schema"]
    assert found > 40


@pytest.mark.parametrize("name", [".", "..", "a.", ".a"])
def test_a_name_of_dots_is_no_path(name: str, tmp_path: Path) -> None:
    (error,) = told(f"{INPUT}body: [{{conv: 4, name: {name}}}]\n", tmp_path)
    assert "null" not in error.help


def test_words_of_others_mean_ops_that_there_are() -> None:
    assert {*_OPS} <= {*registry(), *STRUCTURES}
    assert {*_ARGUMENTS} <= {arg for op in registry().values() for arg in op.args} | {
        *("from", "name", "note", "shape", "body", "params", "blocks", "about")
    }


@pytest.mark.parametrize("word", sorted({"in", "if", "or", "not", "and", "else", "true"}))
@pytest.mark.parametrize(
    "text",
    [
        "params: {%: 4}\nbody: [{conv: $%}]\n",
        "params: {%: 4}\nbody: [{conv: $(2 * %)}, {conv: {out: 4, kernel: $(% - 2)}}]\n",
        "let: {%: 4}\nbody: [{conv: 4, name: c$(%)}]\n",
        "body: [{for: {%: [4, 8]}, do: {conv: $(% + 1)}}]\n",
        "blocks: {A: {params: {%: int}, body: [{conv: $%}]}}\nbody: [{A: {%: 4}}]\n",
        "blocks: {A: {let: {%: 4}, body: [{conv: $(%)}]}}\nbody: [A]\n",
    ],
)
def test_a_word_of_expressions_is_told_where_it_is_declared(
    word: str, text: str, tmp_path: Path
) -> None:
    (error,) = told(INPUT + text.replace("%", word), tmp_path)
    assert error.message == f"`{word}` is a word of expressions; choose another name"
    assert not told(INPUT + text.replace("%", "width"), tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "body: [{conv: 4, name l}, {relu: , from: l}]\n",
        "body: [{conv: 4}, {concat: [{relu: , name l}, {relu: , from: l}]}]\n",
        "body: [{conv: {out: 4, kernel 3, padding: 1}, name: a}, {relu: , from: a}]\n",
        "params: {sizes: [3, 4]}\nbody: [{for: {c $sizes}, do: {conv: $c}}]\n",
        "params: {width 16, n: 2}\nbody: [{conv: $width}, {conv: $n}]\n",
        "let: {width 16}\nbody: [{conv: $width}]\n",
        "import: {r resnet}\nbody: [{r.Basic: {width: 4}}]\n",
        "body: [{conv: 4, name: se}]\noutputs: {feat {from: se}}\n",
        "body: [{conv {out: 4, kernel: 3}}]\n",
        "body: [{conv: {out: 4, kernel [3, 3]}, name: a}]\n",
        "params: {w: '16'}\nbody: [{conv: $w}, {conv: $(w * 2)}]\n",
        "params: {w: '16'}\nbody: [{conv: $(w * 2)}, {conv: $w}, {conv: {out: $w, kernel: 3}}]\n",
        "params: {p: '0.5'}\nbody: [{dropout: $p}, {dropout: {p: $(p / 2)}}]\n",
        "let: {w: '8'}\nbody: [{for: {i: 2}, do: {conv: $w}}]\n",
        "blocks: {A: {params: {out: int}, body: [{conv: $out}]}}\nbody: [{A: {out: '8'}}]\n",
    ],
)
def test_one_lost_or_added_sign_is_one_message(text: str, tmp_path: Path) -> None:
    errors = told(INPUT + text, tmp_path)
    assert len(errors) == 1, "\n".join(map(str, errors))
    assert_helps(text, tmp_path)


@pytest.mark.parametrize("section", ["expect", "published"])
def test_a_misspelt_section_is_told_without_what_it_holds(section: str, tmp_path: Path) -> None:
    held = {"expect": "shapesq: {l: [4, 32, 32], m: 3}", "published": "smal: {top: 1, data: mnist}"}
    text = f"{INPUT}body: [{{conv: 4, name: l}}]\n{section}: {{{held[section]}}}\n"
    (error,) = told(text, tmp_path)
    assert "nor a variant" in error.message


@pytest.mark.parametrize("loop", ["repeat: 3", "for: {i: 3}", "repeat: 2 # twice"])
def test_what_is_repeated_stands_under_do(loop: str, tmp_path: Path) -> None:
    text = f"{INPUT}body:\n  - conv: 4\n  - {loop}\n    - relu\n    - bn\n  - flatten\n"
    (error,) = told(text, tmp_path)
    (line,) = re.findall(r"`(.*)` stands on a line before this one", error.help)
    lines = text.split("\n")
    lines.insert(error.span.line - 1, " " * (error.span.column - 1) + line)
    assert not told("\n".join(lines), tmp_path)


TWO = [
    (
        "train: {optimizer: {name: adam, momentum: 0.9}, schedul: cosine}\nbody: [relu]\n",
        ("`schedul` in train", "optimizer.momentum: `adam` does not read it"),
    ),
    (
        "train: {optimizer: {name: adam, momentum: 0.9}, schedule: {name: cosine, nam: 3}}\n"
        "body: [relu]\n",
        ("`nam` in schedule", "optimizer.momentum: `adam` does not read it"),
    ),
    (
        "blocks: {A: {bdy: relu}, B: {body: [Cc]}}\nbody: [A, B]\n",
        ("`bdy` in A", "unknown block `Cc`"),
    ),
    (
        "blocks: {A: {params: {w: 3, 3x: 4}, body: relu}, B: {body: [{D: {}}]}}\nbody: [A, B]\n",
        ("`3x` is not a name", "unknown block `D`"),
    ),
]


@pytest.mark.parametrize(("text", "messages"), TWO)
def test_one_mistake_does_not_hide_another(
    text: str, messages: tuple[str, ...], tmp_path: Path
) -> None:
    errors = told(INPUT + text, tmp_path)
    assert len(errors) == len(messages)
    for message in messages:
        assert any(message in error.message for error in errors)


@pytest.mark.parametrize(
    "text",
    [
        "train: {optimizer: {nmae: adam, momentum: 0.9, betas: [0.9, 0.99]}}\nbody: [relu]\n",
        "train: {optimizer: {betas: [0.9, 0.99]}, varients: {v: {optimizer: adam}}}\n"
        "variants: {v: {}}\nbody: [relu]\n",
        "block: {Cc: {body: relu}}\nbody: [Cc, {Dd: {}}]\n",
        "blocks: {cC: {body: relu}}\nbody: [Cc, {Dd: {}}]\n",
    ],
)
def test_what_may_be_among_the_misspelt_is_not_told(text: str, tmp_path: Path) -> None:
    assert len(told(INPUT + text, tmp_path)) == 1


@pytest.mark.parametrize(
    "value",
    [
        *("flag=no", "flag=yes", "flag=on", "flag=Off", "flag=1", "flag=0", "flag=None"),
        *("p=50", "p=12.5", "act=rele", "act=Relu", "n='16'"),
    ],
)
def test_help_for_a_value_from_outside(value: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(
        f"params: {{flag: true, act: relu, n: 3, p: 0.5}}\n{INPUT}"
        "body: [{conv: {out: $n, bias: $flag}}, {use: $act}, {dropout: $p}]\n"
    )
    with pytest.raises(SpecError) as caught:
        checked(str(path), None, [value], None)
    (error,) = caught.value.diagnostics
    (right,) = re.findall(r"(?:write|did you mean|the op is) `([^`]+)`", error.help)
    assert checked(str(path), None, [f"{value.partition('=')[0]}={right}"], None).layers


@pytest.mark.parametrize(
    "text",
    [
        "let: {stem: divisible(20, 8)}\nbody: [{conv: $stem}]\n",
        "params: {w: max(4, 8), n: 2}\nbody: [{conv: $w}, {conv: $n}]\n",
        "params: {n: 2}\nbody: [{conv: {out: max(n, 8), kernel: 3}, name: a}, {relu: , from: a}]\n",
        "body: [{for: {w: [min(4, 8), 16]}, do: {conv: $w}}]\n",
    ],
)
def test_a_call_that_a_comma_cuts_is_one_message(text: str, tmp_path: Path) -> None:
    errors = told(INPUT + text, tmp_path)
    assert len(errors) == 1, "\n".join(map(str, errors))
    assert_helps(text, tmp_path)


LINES = [
    ("params: {if: 3}\n", "blocks: {res: {body: relu}}\n", "expect: {parms: 3}\n"),
    ("params: {a: 3}\n", "body: [{conv: $b}, {con: 4}]\n", "outputs: {o: {form: a}}\n"),
    ("body: [Aa, {conv: {out: 3, kernl: 3}}]\n", "let: {w: $(1 +)}\n", "blocks: {B: {bdy: bn}}\n"),
]


@pytest.mark.parametrize("lines", [lines for group in LINES for lines in permutations(group)])
def test_messages_come_in_the_order_of_the_lines(lines: tuple[str, ...], tmp_path: Path) -> None:
    text = INPUT + "".join(lines)
    places = [(e.span.line, e.span.column) for e in told(text, tmp_path)]
    assert len({line for line, _ in places}) >= 2
    assert places == sorted(places)
