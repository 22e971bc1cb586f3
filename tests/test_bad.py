"""The mistakes that users make: each file of tests/bad says in comments what it must be told.

    - conv: {kernal: 3}  #! error[schema] @12: unknown key `kernal` => did you mean `kernel`?

stands for an error of that code at column 12 of that line, whose message holds the words, and whose
help holds those after `=>`; `<- in …` are words of the chain of calls, and what follows `~` is the
other places, as `~ first used at spec.yaml:3:5`. `#! 7 error…` is about line 7, and
`#! parts/one.yaml:7 error…` about a line of another file. What is not told there must not come.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import cnndsl
from cnndsl.diagnostics import Diagnostic, SpecError
from cnndsl.source import MAX_BYTES

BAD = Path(__file__).parent / "bad"
FILES = sorted(path.name for path in BAD.glob("*.yaml"))
NOTE = re.compile(
    r"#! (?:(?:(?P<file>[\w/.]+):)?(?P<line>\d+) )?error\[(?P<code>\w+)\] @(?P<column>\d+): "
    r"(?P<message>.*?)(?: => (?P<help>.*?))?(?: <- (?P<frames>.*?))?(?: ~ (?P<places>.*?))?"
    r"(?=\s+#! |$)"
)
TOO_LARGE = "write `2`, or keep the image larger up to here: fewer pools and strides"
# Words of Python and of the libraries below, which say nothing to a user.
JARGON = re.compile(
    r"Traceback|NoneType|instance of|is not valid under|jsonschema|object at 0x|<class"
)


@dataclass(frozen=True)
class Note:
    """What a file must be told."""

    file: str
    line: int
    column: int
    code: str
    message: str
    help: str
    frames: str
    places: str

    @property
    def key(self) -> tuple[str, int, int, str]:
        return self.file, self.line, self.column, self.code

    def matches(self, diagnostic: Diagnostic) -> bool:
        frames = " ".join(f"in {frame.text}, used at {frame.span}" for frame in diagnostic.frames)
        return (
            self.message in diagnostic.message
            and self.help in diagnostic.help
            and bool(self.help) == bool(diagnostic.help)
            and self.frames in frames
            and bool(self.frames) == bool(frames)
            and self.places == ", ".join(map(str, diagnostic.places))
        )


def notes(name: str) -> list[Note]:
    text = (BAD / name).read_text(encoding="utf-8")
    return [
        Note(
            found["file"] or name,
            int(found["line"] or number),
            int(found["column"]),
            found["code"],
            found["message"],
            found["help"] or "",
            found["frames"] or "",
            found["places"] or "",
        )
        for number, line in enumerate(text.split("\n"), start=1)
        for found in NOTE.finditer(line)
    ]


def diagnose(spec: str | Path, **given: Any) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        cnndsl.check(spec, **given)
    diagnostics = caught.value.diagnostics
    for diagnostic in diagnostics:
        assert_presentable(diagnostic)
    return diagnostics


def assert_presentable(diagnostic: Diagnostic) -> None:
    """A message that points into its source, reads as a sentence's fact, and has no jargon."""
    span = diagnostic.span
    assert 1 <= span.line <= len(span.source.lines)
    assert 1 <= span.column <= len(span.source.lines[span.line - 1]) + 1
    assert (span.line, span.column) < (span.end_line, span.end_column)
    rendered = str(diagnostic)
    assert not JARGON.search(rendered)
    assert diagnostic.message == diagnostic.message.strip() != ""
    assert not diagnostic.message.endswith(".")
    assert "None" not in diagnostic.message.replace("None3", "")
    head, *rest = rendered.split("\n")
    assert head.startswith(f"{span}: {diagnostic.severity}[{diagnostic.code}]: ")
    if span.source.text:
        assert rest[1].strip().removeprefix("|").strip().strip("^") == ""
        assert len(rest[0]) <= 130


def test_that_there_are_many() -> None:
    assert len(FILES) >= 130
    assert all(notes(name) for name in FILES)


@pytest.mark.parametrize("name", FILES)
def test_mistake(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    expected, found = notes(name), diagnose(name)
    assert sorted(map(key_of, found)) == sorted(note.key for note in expected)
    for note in expected:
        there = [d for d in found if key_of(d) == note.key]
        assert any(map(note.matches, there)), f"{note}\nfound:\n{there}"


def key_of(diagnostic: Diagnostic) -> tuple[str, int, int, str]:
    span = diagnostic.span
    return span.source.path, span.line, span.column, diagnostic.code


# Mistakes that a file cannot hold in its comments


def told(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    return f"{span.line}:{span.column} {diagnostic.code}: {diagnostic.message}"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "1:1 syntax: the file is empty"),
        (b"\n\n# only a remark\n", "1:1 syntax: the file is empty"),
        (b"---\n", "2:1 schema: a spec is a mapping with a `body`"),
        (b"body: relu\xff\n", "1:1 syntax: not UTF-8 text: byte 10 is 0xff"),
        ("body: é".encode("latin-1"), "1:1 syntax: not UTF-8 text: byte 6 is 0xe9"),
        ("body: relu".encode("utf-16"), "1:1 syntax: not UTF-8 text: byte 0 is 0xff"),
        (b"body: re\x00lu\n", "1:9 syntax: the character U+0000 is not allowed in YAML"),
        ("about: é😀 \x07\n".encode(), "1:11 syntax: the character U+0007 is not allowed in YAML"),
        (b"a: " + b"x" * MAX_BYTES, "1:1 bound: more than 300000 bytes; a spec is a page of text"),
        (b"%YAML 3.0\n---\nbody: relu\n", "1:1 syntax: found incompatible YAML document"),
        (b"relu\n", "1:1 schema: a spec is a mapping with a `body`"),
        (b"42\n", "1:1 schema: a spec is a mapping with a `body`"),
    ],
)
def test_bytes(data: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(data)
    assert [told(d) for d in diagnose(path)] == [expected]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r", "\u2028", "\x85"])
def test_positions_do_not_depend_on_line_ends(ends: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    text = "about: é😀\ninput: [3, 32, 32]\nbody: [relu, {conv: {out: 8, kernal: 3}}]\n"
    path.write_bytes(text.replace("\n", ends).encode())
    assert [told(d) for d in diagnose(path)] == ["3:30 schema: unknown key `kernal` in conv"]


def test_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(b"\xef\xbb\xbfinput: [3, 32, 32]\nbody: relu\n")
    assert len(cnndsl.check(path).layers) == 1
    path.write_bytes(b"\xef\xbb\xbfbody: rellu\n")
    assert told(diagnose(path)[0]) == "1:7 schema: unknown op `rellu`"


@pytest.mark.parametrize(
    ("spec", "message", "help"),
    [
        ("missing.yaml", "cannot read missing.yaml: No such file or directory", ""),
        ("missing.yaml:small", "cannot read missing.yaml: No such file or directory", ""),
        (
            "resnt50",
            "`resnt50` is neither a file nor a shipped network",
            "did you mean `resnet50`?",
        ),
        ("", "`` is neither a file nor a shipped network", ""),
        ("folder", "`folder` is neither a file nor a shipped network", ""),
        ("folder.yaml", "cannot read folder.yaml: Is a directory", ""),
        ("a" * 5000, "is neither a file nor a shipped network", ""),
        ("a\0b", "is neither a file nor a shipped network", ""),
        ("a\0b.yaml", "cannot read a", ""),
        ("a" * 5000 + ".yaml", "File name too long", ""),
    ],
)
def test_file_that_is_not_there(
    spec: str, message: str, help: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("folder", "folder.yaml"):
        (tmp_path / name).mkdir()
    with pytest.raises(SpecError) as caught:
        cnndsl.check(spec)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "file"
    assert message in diagnostic.message
    assert help in diagnostic.help
    assert str(diagnostic)


@pytest.mark.parametrize(
    ("spec", "message", "help"),
    [
        ("resnet:resnet51", "resnet has no variant `resnet51`", "did you mean `resnet50`?"),
        ("resnet:resnet5", "resnet has no variant `resnet5`", "did you mean `resnet50`?"),
        ("lenet:lenet_bm", "lenet has no variant `lenet_bm`", "did you mean `lenet_bn`?"),
    ],
)
def test_variants_that_a_shipped_network_does_not_have(spec: str, message: str, help: str) -> None:
    (diagnostic,) = diagnose(spec)
    assert (diagnostic.code, diagnostic.message, diagnostic.help) == ("name", message, help)
    for near in re.findall(r"`(.*)`", help):
        cnndsl.check(f"{spec.partition(':')[0]}:{near}")


SMALL = """\
params: {width: 8, depths: [1, 2], flag: true, block: Basic}
variants: {small: {width: 4}}
input: [3, 32, 32]
blocks: {Basic: {body: relu}}
body:
  - {conv: {out: $width, kernel: 3}, when: $flag}
  - for: {depth: $depths}
    do: {use: $block}
"""


@pytest.mark.parametrize(
    ("given", "expected", "help"),
    [
        ({"variant": "smal"}, "has no variant `smal`", "did you mean `small`?"),
        ({"variant": "tiny"}, "has no variant `tiny`", "known: small"),
        ({"params": {"widht": 3}}, "has no parameter `widht`", "did you mean `width`?"),
        ({"params": {"width": "wide"}}, "`width` takes an integer, found 'wide'", ""),
        ({"params": {"width": 2.5}}, "`width` takes an integer, found 2.5", ""),
        ({"params": {"width": None}}, "`width` takes an integer, found null", ""),
        ({"params": {"width": 0}}, "conv.out: expected an integer of at least 1, found 0", ""),
        ({"params": {"width": 10**300}}, "the value is beyond 1e+15", ""),
        ({"params": {"width": 10**400}}, "`width` takes an integer, found 1000", ""),
        ({"params": {"width": float("nan")}}, "`width` takes an integer, found nan", ""),
        ({"params": {"width": float("inf")}}, "`width` takes an integer, found inf", ""),
        ({"params": {"depths": 3}}, "`depths` takes a list, found 3", ""),
        ({"params": {"depths": ["a"]}}, "", ""),
        ({"params": {"flag": 1}}, "`flag` takes true or false, found 1", "write `true`"),
        ({"params": {"block": "Nope"}}, "unknown block `Nope`", "known: Basic"),
        ({"params": {"block": 3}}, "`block` takes a block, found 3", ""),
        ({"input": [3, 2, 2]}, "a window of 3×3 does not fit the 2×2 image", TOO_LARGE),
        ({"input": [3, 0, 32]}, "a shape is a list of positive integers, found [3, 0, 32]", ""),
        ({"input": []}, "a shape is a list of positive integers, found []", ""),
        ({"input": [1] * 9}, "a shape is a list of positive integers, found [1, 1", ""),
        ({"input": [3.5, 2, 2]}, "a shape is a list of positive integers, found [3.5, 2, 2]", ""),
        ({"input": [10**12, 1, 1]}, "a shape is a list of positive integers", ""),
    ],
)
def test_request(given: dict[str, Any], expected: str, help: str, tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    if not expected:
        assert cnndsl.check(path, **given)
        return
    (diagnostic,) = diagnose(path, **given)
    assert expected in diagnostic.message
    assert diagnostic.help == help


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "spec.yaml"


INPUT = "input: [3, 32, 32]\n"


def test_long_chain_of_imports(tmp_path: Path) -> None:
    files = {f"f{i}.yaml": f"import: {{next: ./f{i + 1}.yaml}}\n" for i in range(20)}
    path = write(tmp_path, files | {"spec.yaml": INPUT + "import: {next: ./f0.yaml}\nbody: relu\n"})
    (diagnostic,) = diagnose(path)
    assert diagnostic.message == "more than 12 files, each used by the next"


def test_imports_that_double_are_read_once(tmp_path: Path) -> None:
    last = {"f9.yaml": "blocks: {A: {body: rellu}}\n"}
    files = {
        f"f{i}.yaml": f"import: {{a: ./f{i + 1}.yaml, b: ./f{i + 1}.yaml, c: ./f{i + 1}.yaml}}\n"
        for i in range(9)
    }
    spec = {"spec.yaml": INPUT + "import: {a: ./f0.yaml}\nbody: relu\n"}
    (diagnostic,) = diagnose(write(tmp_path, files | last | spec))
    assert diagnostic.message == "unknown op `rellu`"


def test_link_out_of_the_folder(tmp_path: Path) -> None:
    write(tmp_path, {"secret.yaml": "blocks: {A: {body: relu}}\n"})
    inner = tmp_path / "inner"
    inner.mkdir()
    path = write(inner, {"spec.yaml": INPUT + "import: {s: ./link.yaml}\nbody: [s.A]\n"})
    (inner / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (diagnostic,) = diagnose(path)
    assert "lies outside of the folder" in diagnostic.message


def test_all_mistakes_are_told_up_to_a_bound(tmp_path: Path) -> None:
    body = "".join(f"  - {{conv: {{out: 8, kernel: {n}}}, from: input}}\n" for n in range(33, 63))
    assert len(diagnose(write(tmp_path, {"spec.yaml": f"{INPUT}body:\n{body}"}))) == 30
    assert len(diagnose(write(tmp_path, {"spec.yaml": f"{INPUT}body:\n{body * 3}"}))) == 50


def test_a_block_called_often_is_told_once_with_its_first_call(tmp_path: Path) -> None:
    text = INPUT + (
        "blocks:\n"
        "  Inner: {params: {k: int}, body: [{conv: {out: 3, kernel: $k}}]}\n"
        "  Outer: {params: {k: 40}, body: [{Inner: {k: $k}}]}\n"
        "body:\n"
        "  - for: {stage: [1, 2, 3, 4]}\n"
        "    name: stage$stage\n"
        "    do:\n"
        "      - {repeat: 4, do: {Outer: {}, from: input}}\n"
    )
    (diagnostic,) = diagnose(write(tmp_path, {"spec.yaml": text}))
    assert told(diagnostic) == (
        "3:60 shape: a window of 40×40 does not fit the 32×32 image: (32 + 2·0 − 40)/1 + 1 = −7"
    )
    assert [(frame.text, frame.span.line) for frame in diagnostic.frames] == [
        ("stage1.0.0: Inner(k=40)", 4),
        ("stage1.0: Outer(k=40)", 9),
    ]


def test_json_has_what_an_editor_needs(tmp_path: Path) -> None:
    path = write(tmp_path, {"spec.yaml": INPUT + "body: [{conv: {out: 8, kernal: 3}}]\n"})
    assert diagnose(path)[0].to_json() == {
        "file": str(path),
        "line": 2,
        "column": 24,
        "code": "schema",
        "severity": "error",
        "message": "unknown key `kernal` in conv",
        "help": "did you mean `kernel`?",
        "related": [],
    }
