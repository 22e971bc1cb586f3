"""A file against the JSON Schema of specs, its findings in the words of users."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any

from cnndsl import source
from cnndsl.constructors import by_place, constructed
from cnndsl.diagnostics import MAX_ERRORS, Report, Span, suggest
from cnndsl.expr import show
from cnndsl.flow import flow
from cnndsl.forms import (
    colon_hint,
    form_hint,
    lacks_colon,
    loop_hint,
    makes_flat,
    scoped,
    without_batch,
    wrapped,
)
from cnndsl.hints import (
    Fits,
    in_scope,
    names_before,
    nearest_key,
    nearest_op,
    number_hint,
    pool_hint,
    shape_hint,
    spaced,
    text_hint,
)
from cnndsl.misread import misread
from cnndsl.ops import registry
from cnndsl.packages import or_of_package, required
from cnndsl.parse import ATTRIBUTES, COMPANIONS
from cnndsl.recipe import Recipe, unread_beside
from cnndsl.recipe.section import MAX_ITEMS
from cnndsl.schema import EXTENDABLE, NOTED, SHARED, STRUCTURES, spec_schema
from cnndsl.source import Located
from cnndsl.strays import Stray, stray
from cnndsl.words import BLOCK, SORTS, qualified, visible

MAX_FOUND = 4 * MAX_ERRORS
"""How many errors of the schema are looked at: those of an alias are found again at each use."""


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator, ValidationError, validators

    def pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[ValidationError]:
        """Names are held against their whole rule, of which a pattern says a part."""
        sort = SORTS.get(pattern)
        fits = re.search(pattern, value) if isinstance(value, str) else True
        if not fits or (sort and sort.fault(value)):
            yield ValidationError(f"{value!r} does not match {pattern!r}")

    extend: Any = validators.extend
    return extend(Draft202012Validator, {"pattern": pattern})(spec_schema())


def validate(root: Located, report: Report) -> frozenset[Span]:
    """Report what has the wrong form; returns the spans of the values and keys at fault."""
    bad: set[Span] = set()
    misreadings = list(misread(root))
    for one in misreadings:
        report.error("structure", one.message, one.span, one.help)
        bad.add(one.key)
    told = [list(one.path) for one in misreadings]
    errors = (
        explained
        for error in _validator().iter_errors(source.plain(root))
        if not any(list(error.absolute_path)[: len(path)] == path for path in told)
        if error.validator not in ("minItems", "maxItems") or not any(map(spaced, error.instance))
        for explained in _explain(error, root)
    )
    # What is wrong where an alias is defined is told there, and not where it stands.
    there: set[tuple[str, Span]] = set()
    for span, message, help in sorted(islice(errors, MAX_FOUND), key=lambda e: bool(e[0].origin)):
        bad.add(span)
        fact = message.partition(" in ")[0], span.root
        if message and (span.origin is None or fact not in there):
            span, message, help = _stray(span) or (span, message, help)
            report.error("schema", message, span, help)
        there.add(fact)
        if report.full:
            break
    return frozenset(bad)


def _stray(span: Span) -> Stray | None:
    """The message about a word with a character that is not the one that was meant."""
    line = span.source.lines[span.line - 1] if span.source.text else ""
    word = line[span.column - 1 : span.end_column - 1] if span.line == span.end_line else ""
    return None if word[:1] in ("{", "[") else stray(word, span)


def _explain(error: Any, root: Located) -> Iterator[tuple[Span, str, str]]:
    """(place, message, remedy) of one error of the validator; an unknown key is one each.

    What is told elsewhere has no message.
    """
    path = list(error.absolute_path)
    value = source.locate(root, iter(path))
    if "propertyNames" in error.schema_path:
        span = _key_span(root, path, error.instance)
        word = error.instance
        help = colon_hint(word, value) or SORTS[error.validator_value].fault(word)
        yield span, f"`{visible(word)}` is not a name{_where(path)}", help
        return
    match error.validator:
        case "additionalProperties":
            known = sorted(error.schema.get("properties", {}))
            patterns = error.schema.get("patternProperties", {})
            node = _is_node(error)
            what = "op or attribute" if node else "key"
            for entry in value.entries if isinstance(value, source.Mapping) else ():
                if _is_unknown_section(path, root) or (node and _is_no_name(entry.name, root)):
                    yield entry.key.span, "", ""
                elif entry.name not in known and not _matches(entry.name, patterns):
                    help = _key_hint(error, entry, value, root)
                    yield entry.key.span, f"unknown {what} `{entry.name}`{_where(path)}", help
        case "required":
            missing = next(key for key in error.validator_value if key not in error.instance)
            if set(error.instance) <= set(error.schema["properties"]):  # else one may be misspelt
                yield _op_span(root, path), f"`{missing}` is missing{_where(path)}", ""
        case "maxProperties":
            told = f"{len(error.instance)} entries; at most {error.validator_value}"
            yield value.span, f"{_name(path)} has {told}", ""
        case "maxItems" if error.validator_value == MAX_ITEMS:
            told = f"{len(error.instance)} items; at most {MAX_ITEMS}"
            yield value.span, f"{_name(path)} has {told}", ""
        case "minItems" | "maxItems":
            shape = error.schema.get("description") == SHARED["shape"]["description"]
            help = "a shape has 1 to 4 sizes, and none for the batch" if shape else ""
            told = _expected(error, path)
            if path[0] == "train" and not error.instance:
                told = f"{_name(path)} is an empty list"
                null = _fits(error.schema)(None)
                help = "write `null`" if null else f"it takes {_words(error)}, of one at least"
            help = help or by_place(str(path[-1]), error.instance)
            yield value.span, told, help
        case "anyOf":
            word = str(error.instance)
            if word in STRUCTURES:
                words = str(STRUCTURES[word]["description"]).rpartition("Takes ")[2].rstrip(".")
                yield value.span, f"{word} takes {words}, found nothing", ""
                return
            if _is_no_name(word, root):
                yield value.span, "", ""
                return
            names = next(option["enum"] for option in error.schema["anyOf"] if "enum" in option)
            help = constructed(word) or nearest_op(word, [*names, *_blocks(root)])
            if word.split()[0] in names and " " in word:
                help = f"a colon is missing: write `{word.replace(' ', ': ', 1)}`"
            help = _of_packages(word, help, root)
            if word in names_before(root, path):
                help = f"an earlier value is taken with `from`: write `{{from: {word}}}`"
            yield value.span, f"unknown op `{word}`", help
        case _ if path and lacks_colon(path, root):
            yield value.span, "", ""
        case _:
            keys = _KNOWN.get(str(path[0]), {}) if len(path) == 2 else {}
            if keys and path[1] not in keys and error.validator == "type":
                word = str(path[1])
                holder = source.locate(root, iter(path[:1]))
                assert isinstance(holder, source.Mapping)
                help = nearest_key(word, holder, keys, lambda _: True)
                yield _op_span(root, path), f"unknown key `{word}`{_where(path[:1])}", help
                return
            if _is_unknown_block(error, path, root):
                word = str(path[-1])
                help = nearest_op(word, _blocks(root))
                yield _op_span(root, path), f"unknown block `{word}`", help
                return
            yield value.span, _expected(error, path), _hint(error, path, root)


def _key_hint(error: Any, entry: source.Entry, holder: Located, root: Located) -> str:
    """What to write for an unknown key, so that its value is of the right kind."""
    schemas = error.schema.get("properties", {})
    value = source.plain(entry.value)
    assert isinstance(holder, source.Mapping)
    lost = colon_hint(entry.name, holder)
    if lost and entry.name.split()[0] in schemas:
        return lost

    def fits(key: str) -> bool:
        return key not in schemas or _fits(schemas[key])(value)

    sides = STRUCTURES["residual"]["then"]["properties"]
    if _is_node(error) and list(error.absolute_path)[-1:] == ["residual"]:
        near = suggest(entry.name, sorted(sides))
        if near.startswith("did"):
            return near
    if _is_node(error):
        return _remedy(entry.name, holder, root, sorted(schemas), fits)
    path = list(error.absolute_path)
    if beside := _beside(entry.name, path, holder, root):
        return beside
    known = _free(path, holder, schemas)
    near = nearest_key(entry.name, holder, known, fits)
    if path[:1] == ["train"] and not near.startswith("did"):
        near = _section(entry.name, value, known, _fits(error.schema)) or near
    return _of_packages(entry.name, near, root) if path == ["defaults"] else near


def _beside(word: str, path: list[str | int], args: source.Mapping, root: Located) -> str:
    """The node whose attributes stand beside the op, of one in which they are its arguments."""
    node = source.plain(source.locate(root, iter(path[:-1])))
    op = path[-1] if path else ""
    if word not in ATTRIBUTES or not isinstance(node, dict) or not _names_op(str(op)):
        return ""
    moved = {e.name: source.plain(e.value) for e in args.entries if e.name in ATTRIBUTES}
    if {*moved} & {*node}:
        return ""
    left = {name: value for name, value in node[op].items() if name not in moved}
    return f"it stands beside `{op}`: `{flow({**node, op: left, **moved})}` in place of the node"


def _section(word: str, value: Any, known: Iterable[str], fits: Callable[[Any], bool]) -> str:
    """The section of a recipe that has a key, which stands beside it."""
    for section in known:
        if fits({section: {word: value}}) and not fits({section: {f"{word}_": value}}):
            return f"it is a key of `{section}`: `{flow({section: {word: value}})}`"
    return ""


def _free(path: list[str | int], holder: source.Mapping, known: Iterable[str]) -> list[str]:
    """The known keys that may stand in a mapping, beside what it has."""
    own = {entry.name for entry in holder.entries}
    if not path:
        barred = {
            *NOTED,
            *(("inputs",) if "input" in own else ("input",) if "inputs" in own else ()),
        }
        others = set(known) - {*EXTENDABLE}
        barred |= others if "extends" in own else {"extends"} if own & others else set()
        return [key for key in known if key not in barred]
    if path[0] == "train" and isinstance(path[-1], str):
        values = source.plain(holder)
        unread = {
            misfit.path
            for key in known
            for misfit in unread_beside(Recipe, {path[-1]: {**values, key: None}})
        }
        return [key for key in known if (path[-1], key) not in unread]
    return [*known]


def _is_node(error: Any) -> bool:
    return "when" in error.schema.get("properties", {}) and "conv" in error.schema["properties"]


def _remedy(word: str, node: source.Mapping, root: Located, known: list[str], fits: Fits) -> str:
    """What to do about an unknown word in a node: mostly it belongs elsewhere."""
    ops = registry()
    for entry in node.entries:
        if entry.name in ops and word in ops[entry.name].args:
            args = source.plain(entry.value)
            primary = next((arg.name for arg in ops[entry.name].args.values() if arg.primary), "")
            given = args if isinstance(args, dict) else {} if args is None else {primary: args}
            whole = flow({entry.name: given | {word: source.plain(node.index[word].value)}})[1:-1]
            return f"an argument stands within the op: `{whole}`"
    if word in ("activation", "act"):
        return nearest_key(word, node, [], lambda _: True)
    if word in ("reshape", "view") and makes_flat(source.plain(node.index[word].value)):
        others = {e.name: source.plain(e.value) for e in node.entries if e.name != word}
        return f"`{flow({'flatten': {}, **others} if others else 'flatten')}` in place of the node"
    held = [entry.name for entry in node.entries if entry.name != word]
    if not any(_names_op(name) for name in held):
        return _of_packages(word, nearest_op(word, [*known, *_blocks(root)], fits), root)
    companions = [name for op in held for name in COMPANIONS.get(op, ())]
    if word in ("body", "seq") and "do" in {*companions} - {*held}:
        return "did you mean `do`?"
    near = nearest_key(word, node, [*ATTRIBUTES, *companions], fits)
    own = nearest_op(word, [name for name in known if _names_op(name)])
    if own and not near.startswith("did"):
        return f"an op is a node of its own, behind this one: `- {own.split('`')[1]}`"
    return near


def _of_packages(word: str, near: str, root: Located) -> str:
    """The remedy for an unknown op that a package may have; `near` for one that is misspelt."""
    if "A" <= word[:1] <= "Z":
        return near
    return or_of_package(word, near, [str(item.value) for item in required(root)])


def _names_op(word: str) -> bool:
    beside = ("do", "with", *ATTRIBUTES)
    return (word in registry() or word in STRUCTURES or "A" <= word[:1] <= "Z") and (
        word not in beside
    )


def _is_no_name(word: str, root: Located) -> bool:
    """Whether a block is declared under a word that is no name for one, which is told there."""
    return word in _blocks(root) and bool(BLOCK.fault(word))


def _blocks(root: Located) -> list[str]:
    blocks = root.get("blocks") if isinstance(root, source.Mapping) else None
    return [entry.name for entry in blocks.entries] if isinstance(blocks, source.Mapping) else []


def _expected(error: Any, path: list[str | int]) -> str:
    words = _words(error)
    found = show(error.instance)
    if isinstance(error.instance, dict):
        found = "a mapping" if error.instance else "an empty mapping"
    if isinstance(error.instance, list) and any(isinstance(v, dict | list) for v in error.instance):
        found = "a list"
    if _is_node(error):
        return f"a node is {words}; found {found}"
    return f"{_name(path)} takes {words}, found {found}"


def _words(error: Any) -> str:
    """What is taken, in words: those of the description, or of the types and bounds."""
    if error.validator == "const":
        return show(error.validator_value)
    described = str(error.schema.get("description", "")).rpartition("Takes ")[2].rstrip(".")
    if described:
        return described
    types = [name for name in error.schema.get("type", []) if name != "string"] or ["string"]
    return " or ".join(_TYPES[name] for name in types) + _bounds(error.schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    if "maximum" in schema:
        return f" from {schema['minimum']} to {schema['maximum']}"
    return f" of at least {schema['minimum']}" if "minimum" in schema else ""


_KNOWN: dict[str, dict[str, Any]] = {
    "expect": SHARED["facts"]["properties"],
    "published": SHARED["figures"]["properties"],
}
"""The keys of sections that take variants beside them."""
_TYPES = {
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


def _name(path: list[str | int]) -> str:
    """The value's name: its key after that of what holds it, as `conv.kernel[1]`."""
    index = f"[{path[-1]}]" if path and isinstance(path[-1], int) else ""
    keys = path[:-1] if index else path
    holder = str(keys[-2]) if len(keys) > 1 and isinstance(keys[-2], str) else ""
    key = str(keys[-1]) if keys else "a spec"
    return f"{holder}.{key}{index}" if holder and holder not in _PLAIN else f"{key}{index}"


_PLAIN = ("body", "do", "shortcut", "expect", "blocks", "variants", "outputs")
"""Keys that hold named things of one sort, which go by their own names."""


def _hint(error: Any, path: list[str | int], root: Located) -> str:
    """The remedy for a value of another type than is taken."""
    if within := wrapped(path, error.instance):
        return f"write `{flow(within)}`"
    if _words(error) == "a mapping of arguments":
        return "its arguments have names: write `{}` where none is given"
    if path[-1:] == ["padding"] and error.instance == "same":
        return pool_hint(source.plain(source.locate(root, iter(path[:-1]))))
    if path[-1:] == ["name"] and "." in str(error.instance).strip("."):
        return scoped(root, path)
    if path[:1] == ["input"] and (sizes := without_batch(root)):
        return f"the batch is left out: `input: {sizes}`"
    if error.schema.get("description") == SHARED["shape"]["description"]:
        return shape_hint(error.instance)
    fits = _fits(error.schema)
    op = str(path[-1]) if path else ""
    if near := by_place(op, error.instance) or form_hint(error.instance, fits):
        return near
    if not isinstance(error.instance, str):
        return number_hint(path[-1] if path else "", error.instance)
    pattern = str(error.schema.get("pattern")) if error.validator in ("pattern", "type") else ""
    names = in_scope(root, path)
    if "for" in path[-2:] and (columns := loop_hint(error.instance, names)):
        return columns
    return text_hint(error.instance, _words(error), pattern, names, fits)


def _fits(schema: Any) -> Callable[[Any], bool]:
    return lambda value: bool(_validator().evolve(schema=schema).is_valid(value))


def _is_unknown_block(error: Any, path: list[str | int], root: Located) -> bool:
    """Whether a value is that of a block's name, and no block of that name is in the file."""
    if error.schema.get("description") != SHARED["args"]["description"] or not path:
        return False
    alias, word = qualified(str(path[-1]))
    if alias or word in ("with", "defaults"):
        return bool(nearest_op(word, []))
    return word not in _blocks(root)


def _is_unknown_section(path: list[str | int], root: Located) -> bool:
    """Whether a mapping stands where a variant's does, under a name that is none: that is told."""
    variants = source.plain(root).get("variants")
    declared = variants if isinstance(variants, dict) else {}
    return len(path) == 2 and path[0] in _KNOWN and path[1] not in declared


def _where(path: list[str | int]) -> str:
    inner = [str(step) for step in path if isinstance(step, str)]
    return f" in {inner[-1]}" if inner and inner[-1] not in ("body", "do", "shortcut") else ""


def _matches(name: str, patterns: Mapping[str, Any]) -> bool:
    return any(re.search(pattern, name) for pattern in patterns)


def _key_span(root: Located, path: list[str | int], key: str) -> Span:
    value = source.locate(root, iter(path))
    entry = value.index.get(key) if isinstance(value, source.Mapping) else None
    return entry.key.span if entry else value.span


def _op_span(root: Located, path: list[str | int]) -> Span:
    """Where the key stands whose value is at the path."""
    if not path or not isinstance(path[-1], str):
        return source.locate(root, iter(path)).span
    return _key_span(root, path[:-1], path[-1])
