"""Ops → the JSON Schema of specs."""

from __future__ import annotations

from typing import Any

from cnndsl import syntax
from cnndsl.init import init_schema
from cnndsl.ops import registry
from cnndsl.ops.base import Op
from cnndsl.ops.kinds import EXPRESSION, Schema
from cnndsl.recipe import recipe_schema, recipe_schemas
from cnndsl.words import BLOCK, END, IDENTIFIER, OTHER, OUTPUT, SEGMENT, VARIANT, Sort

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_OUTPUTS = 64
EXTENDABLE = (
    "cnndsl",
    "name",
    "about",
    "params",
    "variants",
    "input",
    "outputs",
    "expect",
    "published",
    "train",
    "extends",
)
"""The keys of a file that extends another one."""
NOTED = ("run",)
"""Keys that commands write, and users need not."""
ALIASED = rf"(?:[A-Za-z_]|{OTHER})(?:[A-Za-z0-9_]|{OTHER})*\.(?:[A-Za-z]|{OTHER})"
CALL = rf"^(?:{ALIASED}|[A-Z]|{OTHER})(?:[A-Za-z0-9_]|{OTHER})*{END}"
"""A block, or `alias.Block`."""


def spec_schema(blocks: Schema | None = None) -> Schema:
    """The JSON Schema (2020-12) of a spec file; `blocks` adds those of one file, by name."""
    ops = {name: op for name, op in sorted(registry().items()) if not op.internal}
    nodes = {name: {"$ref": f"#/$defs/op.{name}"} for name in ops} | STRUCTURES | (blocks or {})
    return {
        "$schema": DIALECT,
        "title": "cnndsl spec",
        "description": "A convolutional network as one page of YAML.",
        "type": "object",
        "properties": _FILE | {"init": init_schema(), "train": recipe_schema()},
        "additionalProperties": False,
        "$defs": {
            **{f"op.{name}": op_schema(op) for name, op in ops.items()},
            **SHARED,
            **recipe_schemas(),
            "defaults": {
                "type": "object",
                "description": "Arguments that ops of this file take where a node gives none.",
                "properties": {name: {"$ref": f"#/$defs/op.{name}"} for name in ops},
                "additionalProperties": False,
            },
            "node": {
                "type": ["string", "object"],
                "description": "One step. Takes the name of an op, or a mapping with one op.",
                "anyOf": [
                    {"type": "object"},
                    {"enum": sorted([*ops, *(blocks or {})])},
                    {"type": "string", "pattern": CALL},
                ],
                "properties": nodes | _ATTRIBUTES,
                "patternProperties": {CALL: {"$ref": "#/$defs/args"}}
                if not blocks
                else {f"^{ALIASED}": {"$ref": "#/$defs/args"}},
                "additionalProperties": False,
            },
        },
    }


def op_schema(op: type[Op]) -> Schema:
    """The schema of an op's arguments: a mapping, or the primary argument alone."""
    doc = " ".join((op.__doc__ or "").split())
    properties = {arg.name: arg.schema() for arg in op.args.values()}
    primary = next((arg for arg in op.args.values() if arg.primary), None)
    schema = primary.kind.schema() if primary else {"type": []}
    types = ["object", "null", *(t for t in schema["type"] if t not in ("object", "null"))]
    short = {key: value for key, value in schema.items() if key != "type"}
    takes = f"{primary.kind.words()} for `{primary.name}`, or a mapping" if primary else "a mapping"
    return {
        **short,
        "description": f"{doc} Takes {takes} of arguments.",
        "type": types,
        "properties": properties,
        "additionalProperties": False,
    }


def file_schema(spec: syntax.Spec) -> Schema:
    """The schema with a file's own blocks, and its parameters where variants set them."""
    blocks = {name: _block_schema(block) for name, block in spec.blocks.items()}
    schema = spec_schema(blocks)
    values = {param.name: _param_schema(param, "the file") for param in spec.params}
    variant = {"type": ["object", "null"], "properties": values, "additionalProperties": False}
    described = {"description": "Values of parameters. Takes a mapping."} | variant
    variants = schema["properties"]["variants"] | {"additionalProperties": described}
    return schema | {"properties": schema["properties"] | {"variants": variants}}


def _block_schema(block: syntax.Block) -> Schema:
    return {
        "type": ["object", "null"],
        "description": f"The block {block.name} of this file.",
        "properties": {param.name: _param_schema(param, block.name) for param in block.params},
        "required": [param.name for param in block.params if param.default is None],
        "additionalProperties": False,
    }


def _param_schema(param: syntax.Param, owner: str) -> Schema:
    types = {
        "int": ["integer", "string"],
        "float": ["number", "string"],
        "bool": ["boolean", "string"],
        "str": ["string"],
        "block": ["string"],
        "list": ["array", "string"],
    }
    own: Schema = {"type": types[param.type]} if param.type in types else {}
    if isinstance(param.default, syntax.Const):
        own["default"] = param.default.value
    return {**own, "description": f"Parameter of {owner}; {param.type}."}


# --- the parts that are not ops ------------------------------------------------------------------


def _field(description: str, **schema: Any) -> Schema:
    return {"description": description, **schema}


def _object(description: str, of: Schema | None = None, names: Sort = IDENTIFIER) -> Schema:
    own: Schema = {"additionalProperties": of} if of is not None else {}
    return _field(description, type="object", propertyNames={"pattern": names.pattern}, **own)


_BODY: Schema = {"$ref": "#/$defs/body"}
_SHAPE = {"$ref": "#/$defs/shape"}
_VALUE = {"$ref": "#/$defs/value"}
_TRUTH = {"type": ["boolean", "string"], "pattern": EXPRESSION}
_COUNT = {"type": ["integer", "string"], "minimum": 0, "pattern": EXPRESSION}
_PERCENT = {"type": "number", "minimum": 0, "maximum": 100}
_BRANCHES = {
    "type": ["array", "object"],
    "minItems": 1,
    "minProperties": 1,
    "items": _BODY,
    "propertyNames": {"pattern": SEGMENT.pattern},
    "additionalProperties": _BODY,
}

_SIDES: Schema = {
    "body": _BODY,
    "shortcut": _field("The way around; the identity where absent. Takes nodes.", **_BODY),
    "skip": _field("Whether there is a way around at all. Takes true or false.", **_TRUTH),
}

STRUCTURES: Schema = {
    "concat": _field(
        "Run the branches side by side, join their channels. Takes branches.", **_BRANCHES
    ),
    "add": _field("Run the branches side by side, add their results. Takes branches.", **_BRANCHES),
    "mul": _field(
        "Run the branches side by side, multiply their results. Takes branches.", **_BRANCHES
    ),
    "split": _field(
        "Give each branch its equal share of the channels, join their results. Takes branches.",
        **_BRANCHES,
    ),
    "dense": _field(
        "Join the body's result to its input, channel on channel. Takes nodes.", **_BODY
    ),
    "residual": _field(
        "Add the body's result to the shortcut's. Takes nodes, or `body`, `shortcut` and `skip`.",
        type=["object", "array", "string"],
        **{
            "if": {"type": "object", "anyOf": [{"required": [side]} for side in _SIDES]},
            "then": {"required": ["body"], "properties": _SIDES, "additionalProperties": False},
            # Not a `$ref`, which completion follows: it is to offer the sides, not all of a node.
            "else": {"$dynamicRef": "#/$defs/body"},
        },
    ),
    "for": _field(
        "Repeat `do:` for each row of these columns. Takes a mapping from name to list or count.",
        type="object",
        minProperties=1,
        propertyNames={"pattern": IDENTIFIER.pattern},
        additionalProperties={
            "type": ["array", "integer", "string"],
            "minimum": 0,
            "pattern": EXPRESSION,
            "description": "Values, or a count n for 0 … n-1. "
            "Takes a list, or an integer of at least 0.",
        },
    ),
    "repeat": _field("Repeat `do:` so many times. Takes an integer of at least 0.", **_COUNT),
    "do": _field("What `for` and `repeat` repeat. Takes nodes.", **_BODY),
    "seq": _field("Nodes in sequence; with a `name`, a scope. Takes nodes.", **_BODY),
    "use": _field("Call a block or op held by a value. Takes `$name` or a name.", type="string"),
    "with": _field(
        "Arguments of the block or op that `use` names. Takes a mapping.", type="object"
    ),
}

_ATTRIBUTES: Schema = {
    "name": _field(
        "The name of the value, a segment of its path in the state dict. "
        "Takes letters, digits, `_` and `-`, and expressions.",
        type=["string", "integer"],
        pattern=rf"^(?:[{SEGMENT.rest}]|{OTHER})+{END}|{EXPRESSION}",
    ),
    "when": _field("False leaves the node out. Takes true or false, mostly `$(…)`.", **_TRUTH),
    "from": _field(
        "Start from this earlier value, not the previous one. Takes a name.", type="string"
    ),
    "shape": _field(
        "A contract: the checker fails here if the shape differs. Takes a shape.", **_SHAPE
    ),
    "note": _field("A remark for readers. Takes text.", type="string"),
}

SHARED: Schema = {
    "body": {
        "type": ["array", "string", "object"],
        "description": "Nodes in sequence, or one node. Takes a list of nodes, or one node.",
        "if": {"type": "array"},
        "then": {"items": {"$ref": "#/$defs/node"}},
        "else": {"$ref": "#/$defs/node"},
    },
    "shape": {
        "type": ["array", "string"],
        "pattern": EXPRESSION,
        "minItems": 1,
        "maxItems": 4,
        "items": {"type": ["integer", "string"], "minimum": 1, "pattern": EXPRESSION},
        "description": "Sizes without the batch, as [C, H, W] or [F]. "
        "Takes a list of positive integers.",
    },
    "value": {
        "type": ["integer", "number", "boolean", "string", "array", "null"],
        "description": f"Takes {syntax.VALUE}.",
    },
    "args": {
        "type": ["object", "null"],
        "description": "Arguments of a block. Takes a mapping from parameter to value.",
        "additionalProperties": _VALUE,
    },
    "facts": {
        "type": "object",
        "description": "What must come out; the checker confirms it. Takes a mapping of facts.",
        "properties": {
            "params": _field("Learned numbers in all. Takes an integer of at least 0.", **_COUNT),
            "macs": _field("Multiply-adds of inference. Takes an integer of at least 0.", **_COUNT),
            "min_input": _field("Side of the smallest square input. Takes an integer.", **_COUNT),
            "output": _field("The output's shape. Takes a shape.", **_SHAPE),
            "shapes": _field(
                "Shapes by path. Takes a mapping from path to shape.",
                type="object",
                additionalProperties=_SHAPE,
            ),
        },
        "additionalProperties": False,
    },
    "figures": {
        "type": "object",
        "description": "What was published of a trained network. Takes a mapping of figures.",
        "properties": {
            "top1": _field("Accuracy in percent. Takes a number from 0 to 100.", **_PERCENT),
            "top5": _field(
                "How often the class is among the first five, in percent. "
                "Takes a number from 0 to 100.",
                **_PERCENT,
            ),
            "data": _field("The data set; ImageNet where absent. Takes text.", type="string"),
            "source": _field("Where the figures stand. Takes text.", type="string"),
        },
        "additionalProperties": False,
    },
}

_HEAD = _field(
    "A named output. Takes a mapping.",
    type=["object", "null"],
    properties={
        "from": _field(
            "The value it starts from; the last one if absent. Takes a name.", type="string"
        ),
        "body": _BODY,
        "train_only": _field("Computed in training alone. Takes true or false.", **_TRUTH),
        "loss_weight": _field(
            "Weight of its loss. Takes a number of at least 0.",
            type=["number", "string"],
            minimum=0,
            pattern=EXPRESSION,
        ),
        "when": _field("False leaves the output out. Takes true or false.", **_TRUTH),
    },
    additionalProperties=False,
)

_BLOCK_DEFINITION = _field(
    "A block: nodes under a name, with parameters. Takes a mapping with `body`.",
    type="object",
    properties={
        "params": _object("Parameters with their defaults or types. Takes a mapping.", _VALUE),
        "let": _object("Named values, each computed once. Takes a mapping.", _VALUE),
        "body": _BODY,
        "about": _field("What the block is. Takes text.", type="string"),
    },
    required=["body"],
    additionalProperties=False,
)

_FILE: Schema = {
    "cnndsl": _field("Version of the language. Takes 1.", const=1),
    "name": _field("Name of the network. Takes text.", type="string"),
    "about": _field("What the network is, and its source. Takes text.", type="string"),
    "params": _object("Parameters with their defaults or types. Takes a mapping.", _VALUE),
    "variants": _object(
        "Named sets of parameter values. Takes a mapping from variant to values.",
        {
            "type": ["object", "null"],
            "description": "Values of parameters. Takes a mapping.",
            "additionalProperties": _VALUE,
        },
        names=VARIANT,
    ),
    "input": _field("Shape of one sample. Takes [C, H, W].", **_SHAPE),
    "inputs": _object("Several named inputs. Takes a mapping from name to shape.", _SHAPE),
    "defaults": {"$ref": "#/$defs/defaults"},
    "import": _object(
        "Blocks of other files, used as `alias.Block`. Takes a mapping from alias to file.",
        {"type": "string", "description": "Takes a path below this folder, or a shipped name."},
    ),
    "requires": _field(
        "Installed packages whose ops this file uses. Takes a list of packages.",
        type="array",
        items={
            "type": "string",
            "pattern": rf"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?{END}",
            "description": "Takes the name of a package.",
        },
    ),
    "extends": _field(
        "The file that this one gives other values. Takes a path or shipped name.", type="string"
    ),
    "let": _object("Named values, each computed once. Takes a mapping.", _VALUE),
    "blocks": _field(
        "Blocks of this file. Takes a mapping from CamelCase name to block.",
        type="object",
        propertyNames={"pattern": BLOCK.pattern},
        additionalProperties=_BLOCK_DEFINITION,
    ),
    "body": _BODY,
    "outputs": _object("Named outputs. Takes a mapping from name to output.", _HEAD, OUTPUT)
    | {"maxProperties": MAX_OUTPUTS},
    "run": _field(
        "What a run of training noted of itself; nothing reads it. Takes a mapping.", type="object"
    ),
    "expect": _field(
        "Facts that the checker confirms. Takes facts, or a mapping from variant to facts.",
        type="object",
        properties=SHARED["facts"]["properties"],
        additionalProperties={"$ref": "#/$defs/facts"},
    ),
    "published": _field(
        "Accuracy as published. Takes figures, or a mapping from variant to figures.",
        type="object",
        properties=SHARED["figures"]["properties"],
        additionalProperties={"$ref": "#/$defs/figures"},
    ),
}
