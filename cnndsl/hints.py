"""What a word or a value that is not of the language was meant to be."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import SequenceMatcher
from typing import Any

from cnndsl import source
from cnndsl.declared import truth_meant
from cnndsl.diagnostics import suggest
from cnndsl.expr import Exhausted, ExprError, evaluate, template
from cnndsl.flow import flow
from cnndsl.init import SCHEMES
from cnndsl.ops import registry
from cnndsl.source import Located
from cnndsl.strays import TEMPLATE

MAX_LISTED = 40
"""How many known words a message lists at the most."""

_OPS = {
    "linear": "dense fc fullyconnected innerproduct",
    "conv": "convolution2d convolution conv2dlayer",
    "conv_transpose": "conv2dtranspose deconv deconvolution upconv",
    "bn": "batchnormalization batchnorm2d batchnorm1d batchnorm",
    "layer_norm": "layernormalization layernorm layernorm2d",
    "group_norm": "groupnormalization groupnorm",
    "instance_norm": "instancenormalization instancenorm2d instancenorm",
    "max_pool": "maxpooling2d maxpooling",
    "avg_pool": "averagepooling2d averagepooling averagepool",
    "global_avg_pool": "globalaveragepooling2d globalaveragepooling gap",
    "global_max_pool": "globalmaxpooling2d globalmaxpooling",
    "upsample": "upsampling2d upsampling interpolate resize upsamplingnearest2d "
    "upsamplingbilinear2d",
    "pad": "zeropadding2d zeropadding zeropad2d constantpad2d reflectionpad2d replicationpad2d "
    "circularpad2d",
    "crop": "cropping2d centercrop",
    "dropout": "drop",
    "stochastic_depth": "droppath",
    "silu": "swish",
    "concat": "concatenate cat",
    "seq": "sequential",
    "unflatten": "reshape view",
    "residual": "skip shortcut",
    "lrn": "localresponsenormalization",
    "identity": "noop passthrough",
}
"""Ops and structures, with what others call them."""

_ARGUMENTS = {
    "out": "out_channels filters out_features units num_output features channels output_size",
    "kernel": "kernel_size pool_size size window ksize",
    "stride": "strides stride_size",
    "padding": "pad paddings",
    "dilation": "dilation_rate dilations",
    "groups": "num_groups group",
    "bias": "use_bias bias_term",
    "ceil": "ceil_mode",
    "p": "rate prob drop_prob",
    "eps": "epsilon",
    "scale": "scale_factor",
    "negative_slope": "alpha slope",
    "norm": "norm_type",
    "from": "input inputs src bottom",
    "name": "id label",
    "note": "comment remark",
    "shape": "output_shape out_shape",
    "body": "layers model network net architecture nodes forward",
    "params": "parameters hyperparameters hparams",
    "blocks": "modules",
    "about": "description",
}
"""Keys, with what others call them."""

_INFERRED = (
    *("in_channels", "in_features", "num_features", "num_channels", "normalized_shape"),
    *("input_dim", "input_channels", "in", "in_planes", "inplanes", "in_dim"),
)
"""Arguments in other libraries that the input gives here."""

_SCHEMES: dict[str, Any] = {
    "he_normal": {"kaiming_normal": {"mode": "fan_in", "nonlinearity": "relu"}},
    "he_uniform": {"kaiming_uniform": {"mode": "fan_in", "nonlinearity": "relu"}},
    "he": {"kaiming_normal": {"mode": "fan_in", "nonlinearity": "relu"}},
    "kaiming": {"kaiming_normal": {"mode": "fan_in", "nonlinearity": "relu"}},
    "msra": {"kaiming_normal": {"mode": "fan_in", "nonlinearity": "relu"}},
    "lecun_normal": {"kaiming_normal": {"mode": "fan_in", "nonlinearity": "linear"}},
    "glorot_normal": "xavier_normal",
    "glorot_uniform": "xavier_uniform",
    "glorot": "xavier_uniform",
    "xavier": "xavier_uniform",
    "truncated_normal": {"trunc_normal": {"std": 0.02}},
    "random_normal": {"normal": {"std": 0.05}},
    "gaussian": {"normal": {"std": 0.01}},
    "random_uniform": {"uniform": {"a": -0.05, "b": 0.05}},
    "zeros": 0,
    "zero": 0,
    "ones": 1,
    "one": 1,
}
"""Initial values as others call them, as `init:` has them."""

Fits = Callable[[str], bool]
"""Whether a word may stand in place of the one that was found."""


def _by_other_name(table: Mapping[str, str], word: str) -> str:
    return next((name for name, others in table.items() if word in others.split()), "")


def nearest(word: str, known: Iterable[str], fits: Fits = lambda _: True) -> str:
    """`did you mean …?` for the nearest word that fits; a list of them; or nothing."""
    words = list(known)
    for _ in range(3):
        near = suggest(word, words)
        found = re.fullmatch(r"did you mean `(.*)`\?", near)
        if found is None or fits(found[1]) or SequenceMatcher(None, word, found[1]).ratio() > 0.8:
            return near if len(words) <= MAX_LISTED or found else ""
        words.remove(found[1])
    return f"known: {', '.join(sorted(words))}" if len(words) <= MAX_LISTED else ""


def nearest_op(word: str, known: Collection[str], fits: Fits = lambda _: True) -> str:
    """The op or block that is meant by a word: by its spelling elsewhere, or the nearest one."""
    last = word.rpartition(".")[2]
    bare = _bare(last)
    for name in known:
        if _bare(name) == bare and name != word and last[:1].isupper() <= name[:1].isupper():
            return f"did you mean `{name}`?"
    for name, op in registry().items():
        if _bare(op.__name__) == bare and not op.internal:
            return f"the op is `{name}`"
    other = _by_other_name(_OPS, bare)
    if other:
        return f"the op is `{other}`"
    return nearest(word, known, fits)


def _bare(word: str) -> str:
    return word.lower().replace("_", "")


def nearest_key(word: str, holder: source.Mapping, known: Collection[str], fits: Fits) -> str:
    """The key that is meant by an unknown one, whose value must be of the right kind for it."""
    value = source.plain(holder.index[word].value)
    free = sorted(set(known) - set(holder.index))
    if not_needed := _not_needed(word, value, known):
        return not_needed
    other = _by_other_name(_ARGUMENTS, word)
    if other in free:
        return f"did you mean `{other}`?"
    if set(known) == set(SCHEMES) and word in _SCHEMES:
        return scheme_of(word, value)
    if word in ("activation", "act", "nonlinearity") and _is_op(value):
        return f"an activation is a node of its own, behind this one: `- {_op_word(value)}`"
    near = nearest(word, free, fits)
    taken = "" if near.startswith("did") else suggest(word, sorted(set(known) & set(holder.index)))
    return f"`{taken.split('`')[1]}` stands here already" if taken.startswith("did") else near


def argument_meant(word: str) -> str:
    """The argument that is meant by a word of another library."""
    return _by_other_name(_ARGUMENTS, word) or word


def is_inferred(word: str) -> bool:
    """Whether an argument of another library is inferred from the input here."""
    return word in _INFERRED


def _not_needed(word: str, value: Any, known: Collection[str]) -> str:
    """What is said of an argument of PyTorch's that an op here does without."""
    if is_inferred(word) and "from" not in known:
        return "leave it away: it is inferred from the input"
    if word == "inplace":
        return "leave it away: what is done in place is decided when the network is compiled"
    side = word.removesuffix("_dim")
    if side in ("start", "end") and side in known and word != side:
        counted = "dimensions are counted without the batch"
        whole = isinstance(value, int) and value > 1
        return f"{counted}: `{side}: {value - 1}`" if whole else f"leave it away: {counted}"
    return ""


def scheme_of(word: str, value: Any = None) -> str:
    """How `init:` writes a scheme of another name; `value` are arguments that it was given."""
    own = _SCHEMES[word]
    name = own if isinstance(own, str) else next(iter(own)) if isinstance(own, dict) else ""
    if not name or value is None:
        return f"write `{flow(own)}`"
    args = ", ".join(f"`{arg}`" for arg in SCHEMES[name])
    return f"did you mean `{name}`? its arguments are {args}, as in `{flow({name: _args(own)})}`"


def _args(own: Any) -> Any:
    return next(iter(own.values())) if isinstance(own, dict) else {"gain": 1.0}


def _is_op(value: Any) -> bool:
    return isinstance(value, str) and _op_word(value) in registry()


def _op_word(value: str) -> str:
    near = nearest_op(value, [])
    return near.split("`")[1] if near else value


def in_scope(root: Located, path: Iterable[str | int]) -> dict[str, Any]:
    """The names that an expression at a path may read, with a literal value of each or None."""
    names: dict[str, Any] = {}
    value: Located | None = root
    for step in (*path, None):
        if isinstance(value, source.Mapping):
            for section in ("params", "let", "for"):
                inner = value.get(section)
                entries = inner.entries if isinstance(inner, source.Mapping) else ()
                for entry in entries:
                    plain = source.plain(entry.value)
                    names[entry.name] = _first(plain) if section == "for" else plain
            value = value.get(str(step))
        elif isinstance(value, source.Sequence) and isinstance(step, int):
            value = value.items[step]
        else:
            break
    return names


def names_before(root: Located, path: Iterable[str | int]) -> set[str]:
    """The names that `from` may read at a path: those that stand before it, in scopes around."""
    names: set[str] = set()
    value: Located = root
    for step in path:
        if step == "blocks":
            names = set()
        if isinstance(value, source.Sequence) and isinstance(step, int):
            before = [source.plain(item) for item in value.items[:step]]
            names |= {
                str(item["name"]) for item in before if isinstance(item, dict) and "name" in item
            }
            value = value.items[step]
        elif isinstance(value, source.Mapping):
            value = value.index[str(step)].value
    return names


def _first(column: Any) -> Any:
    return column[0] if isinstance(column, list) and column else 0 if column == 0 else None


Values = Mapping[str, Any]


def text_hint(
    text: str, words: str, pattern: str, names: Values, fits: Callable[[Any], bool]
) -> str:
    """The remedy for a text where something else is taken, `words` or a text of the pattern."""
    if TEMPLATE.search(text):
        return f"write `{TEMPLATE.sub(lambda found: f'$({found[1]})', text)}`"
    if spaced(text):
        return f"commas stand between numbers: write `{', '.join(text.split())}`"
    if re.fullmatch(r"\([^()]*,[^()]*\)", text):
        return f"write `[{text[1:-1]}]`"
    listed = re.match(r"\^\(([\w|-]+)\)\$", pattern)
    choices = listed[1].split("|") if listed else re.findall(r"(?<!for )`(\w[\w-]*)`", words)
    if set(choices) == set(SCHEMES) and text in _SCHEMES:
        return scheme_of(text)
    if choices and (near := suggest(text, choices)).startswith("did"):
        return near
    if text and not isinstance(source.resolve(text), str):
        return f"write `{text}`, without quotation marks"
    return _word_hint(text, words) or (
        _expression_hint(text, names, fits) if "$" in pattern else ""
    )


def spaced(value: Any) -> bool:
    """Whether a text is of several numbers with nothing but spaces between them."""
    return isinstance(value, str) and bool(re.fullmatch(r"-?[\d.]+(?:\s+-?[\d.]+)+", value))


def pool_hint(args: Values) -> str:
    """The padding of a pool that gives the size that `same` gives in other libraries."""
    kernel, stride = args.get("kernel"), args.get("stride")
    stride = kernel if stride is None else stride
    if not isinstance(kernel, int) or not isinstance(stride, int):
        return "a pool pads both sides alike, by a number"
    if kernel % 2:
        return f"a pool pads both sides alike: write `{kernel // 2}`"
    rest = max(0, kernel - stride)
    if rest % 2 == 0:
        return f"a pool pads both sides alike: write `{rest // 2}, ceil: true`"
    sides = f"[{rest // 2}, {rest - rest // 2}, {rest // 2}, {rest - rest // 2}]"
    before = f"{{pad: {{padding: {sides}, mode: replicate}}}}"
    return f"a pool pads both sides alike: write `0, ceil: true`, and `{before}` before the pool"


def shape_hint(value: Any) -> str:
    """The list that a shape of another form means, as `3x32x32` or 784."""
    sizes = [int(size) for size in re.findall(r"\d+", value)] if isinstance(value, str) else [value]
    whole = all(isinstance(size, int) and 0 < size < 10**9 for size in sizes)
    return f"write `{flow(sizes)}`" if whole and 1 <= len(sizes) <= 4 and True not in sizes else ""


def number_hint(key: str | int, value: Any) -> str:
    """The remedy for a number where `from` takes a name, or a scheme of `init:` its arguments."""
    if key == "from":
        return "a value is named, not counted: give it a `name`, and write that here"
    kinds = SCHEMES.get(str(key), {})
    arg = next((arg for arg in ("std", "gain", "val") if arg in kinds), "")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"write `{flow({arg: value})}`" if arg and number else ""


def _word_hint(text: str, words: str) -> str:
    """What YAML 1.2 and this language write for a word of Python, YAML 1.1 or Keras."""
    lower = text.lower()
    if lower == "none" and "null" in words:
        return "write `null`"
    if "true or false" in words and (truth := truth_meant(lower)):
        return f"YAML 1.2 has `true` and `false` only: write `{truth}`"
    if lower == "valid" and "`same`" in words:
        return "without padding it is 0: write `0`"
    return ""


def _expression_hint(text: str, names: Values, fits: Callable[[Any], bool]) -> str:
    """The expression that a text is without its `$`, where the names in it exist and fit."""
    possible = [name for name, value in names.items() if not _literal(value) or fits(value)]
    if re.fullmatch(r"[A-Za-z_]\w{0,40}", text):
        if text in possible:
            return f"an expression has a `$`: write `${text}`"
        near = suggest(text, [] if text in names else possible)
        return near.replace("`", "`$", 1) if near.startswith("did") else ""
    used = re.findall(r"(?<![\w.])[A-Za-z_]\w*", text)
    if re.fullmatch(r"[\w\s.*+/()%-]{1,60}", text) and re.search(r"[*+/%-]", text):
        whole = text if re.fullmatch(r"\([^()]*\)", text) else f"({text})"
        if {*used} <= {*names, "x"} and _computes(f"${whole}", used, names, fits):
            return f"an expression has a `$`: write `${whole}`"
    return ""


_X = {"channels": 64, "height": 64, "width": 64, "shape": [64, 64, 64]}
"""Some value of `$x`, whose names alone matter."""


def _computes(text: str, used: list[str], names: Values, fits: Callable[[Any], bool]) -> bool:
    """Whether an expression is one, and has a value that fits, as far as its names are known."""
    known = {"x": _X} | {name: value for name, value in names.items() if _literal(value)}
    try:
        parts = template(text)
        if len(parts) > 1 or isinstance(parts[0], str):
            return False
        if not {*used} <= {*known}:
            return True
        value = evaluate(parts[0], known)
    except (ExprError, Exhausted):
        return False
    return "x" in used or fits(value)


def _literal(value: Any) -> bool:
    """Whether a parameter has this value, and not a type, or a value that is computed."""
    types = ("int", "float", "bool", "str", "list", "block")
    return value is not None and value not in types and "$" not in str(value)
