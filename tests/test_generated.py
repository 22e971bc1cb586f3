"""Files made from the code equal what the code makes; `pytest --update` writes them anew."""

from __future__ import annotations

import json
from collections.abc import Callable

from jsonschema import Draft202012Validator

from cnndsl.reference import ops_page, recipe_page
from cnndsl.schema import spec_schema

Golden = Callable[[str, str], None]


def test_reference_of_ops(golden: Golden) -> None:
    golden("docs/ops.md", ops_page())


def test_reference_of_recipes(golden: Golden) -> None:
    golden("docs/recipe.md", recipe_page())


def test_schema(golden: Golden) -> None:
    golden("cnndsl/schema.json", json.dumps(spec_schema(), indent=2, ensure_ascii=False) + "\n")


def test_schema_is_valid_and_describes_everything() -> None:
    schema = spec_schema()
    Draft202012Validator.check_schema(schema)
    assert "oneOf" not in json.dumps(schema)
    node = schema["$defs"]["node"]
    for name, field in {**node["properties"], **schema["properties"]}.items():
        if "$ref" in field:
            field = schema["$defs"][field["$ref"].removeprefix("#/$defs/")]
        assert field.get("description"), name
        for key, inner in field.get("properties", {}).items():
            assert inner.get("description") or "$ref" in inner, f"{name}.{key}"
