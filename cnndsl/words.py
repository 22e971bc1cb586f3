"""The one rule for the words that a spec gives: how names are written, and which are taken.

A word that passes is good everywhere: as a key and in expressions, as a segment of the state dict,
in the emitted source, in exported files and in diagrams. The schema has its patterns, which tell
ASCII apart and leave all other letters to the checker, and the checker the whole rule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from keyword import iskeyword
from unicodedata import category, normalize

MAX_WORD = 100
END = r"(?![\s\S])"
"""The end of a text in regular expressions: Python's `$` matches before a last line break too."""
OTHER = r"[^\x00-\xA9\u2000-\u206F\u2190-\u2BFF\u3000-\u3004\u3008-\u3020\uFF00-\uFF0F]"
"""A character beyond ASCII and the blocks of punctuation and symbols: `Sort.fault` looks closer."""


@dataclass(frozen=True)
class Sort:
    """What names of one sort consist of: ASCII as classes of a regular expression, other letters
    as in Python's identifiers."""

    rule: str
    """How they are written, in words."""
    first: str
    rest: str
    capital: bool = False
    """Whether they begin with no small letter: with a capital one, or of a script that has none."""

    @cached_property
    def pattern(self) -> str:
        """The pattern of the JSON Schema: right for ASCII, in Python as in ECMAScript."""
        return rf"^(?:[{self.first}]|{OTHER})(?:[{self.rest}]|{OTHER}){{0,{MAX_WORD - 1}}}{END}"

    def accepts(self, word: str) -> bool:
        return not self.fault(word)

    def fault(self, word: str) -> str:
        """What is wrong with a word, as a sentence about how names are written; else nothing."""
        hidden = next(filter(_is_hidden, word), "")
        if hidden:
            return f"a name has no invisible characters; this one has U+{ord(hidden):04X}"
        if word.startswith("__"):
            return "names that begin with `__` are Python's own"
        if not re.search(self.pattern, word):
            return self.rule
        letters = re.sub("[-.]", "_", word)
        known = letters if letters[0] not in "0123456789" else f"_{letters}"
        good = known.isidentifier() and word == normal(word)
        return "" if good and not (self.capital and word[0].islower()) else self.rule


SEGMENT = Sort("a name has letters, digits, `_` and `-`", "A-Za-z0-9_-", "A-Za-z0-9_-")
"""Of nodes and branches: segments of paths."""
IDENTIFIER = Sort(
    "a name begins with a letter, and has letters, digits and `_`", "A-Za-z_", "A-Za-z0-9_"
)
"""Of parameters, `let` values, variables of loops, inputs and imported files."""
OUTPUT = Sort(
    "the name of an output begins with a letter, and has letters, digits and `_`",
    "A-Za-z",
    "A-Za-z0-9_",
)
"""Of outputs, which are fields of a named tuple."""
BLOCK = Sort(
    "the name of a block begins with a capital letter, and has letters, digits and `_`",
    "A-Z",
    "A-Za-z0-9_",
    capital=True,
)
VARIANT = Sort("a name has letters, digits, `_`, `.` and `-`", "A-Za-z0-9_.-", "A-Za-z0-9_.-")
"""Of variants and recipes."""
SORTS = {sort.pattern: sort for sort in (SEGMENT, IDENTIFIER, OUTPUT, BLOCK, VARIANT)}
"""Whose pattern it is."""

BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
"""Letters and marks that show nothing: Unicode's default ignorable ones among identifiers."""


def _is_hidden(letter: str) -> bool:
    """Whether a character cannot be seen: a control, a direction, a joiner, a space but " "."""
    if letter.isascii():
        return not letter.isprintable()
    return letter in BLANK or category(letter) in ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp")


def normal(word: str) -> str:
    """The word as Python reads identifiers, in Unicode's form NFKC: `ｃｏｎｖ` is `conv`.

    What has other characters than words and patterns of them stays as it is.
    """
    if word.isascii():
        return word
    form = normalize("NFKC", word)
    return form if re.sub(r"[-.*\d]", "_", f"_{form}").isidentifier() else word


def qualified(text: str) -> tuple[str, str]:
    """The alias of a file, empty for the own one, and the block that a text names."""
    alias, _, name = normal(text).rpartition(".")
    return alias, name


def visible(word: str) -> str:
    """A word for a message: what cannot be seen is written as in YAML's quotes."""
    return "".join(_escaped(c) if _is_hidden(c) else c for c in word)


def _escaped(letter: str) -> str:
    code = ord(letter)
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


_ASCII_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def name_end(text: str, start: int) -> int:
    """Where the name ends that begins at an offset of an expression; `start` where none does."""
    found = _ASCII_NAME.match(text, start)
    end = found.end() if found else start
    while end < len(text) and f"{'_' * (end > start)}{text[end]}".isidentifier():
        end += 1
    return end


# --- words that look alike -----------------------------------------------------------------------

_TWINS = {
    letter: twin
    for letters, twins in (
        ("аеорсухѕіјһԁԛԝӏѵѡү", "aeopcyxsijhdqwlvwy"),  # Cyrillic
        ("АВЕЅІЈКМНОРСТУХԌԚԜѴҮӀ", "ABESIJKMHOPCTYXGQWVYl"),
        ("ανοριγσυϳ", "avopiyouj"),  # Greek
        ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧͿ", "ABEZHIKMNOPTYXJ"),
        ("օոսհցզաՕՍՏ", "onuhgqwOUS"),  # Armenian
        ("ıɑɡ", "iag"),  # Latin beyond ASCII
        ("ニロカエトハタヘー", "二口力工卜八夕へ一"),  # kana, Han
    )
    for letter, twin in zip(letters, twins, strict=True)
}
"""Letters of the scripts that are written most, and others of the same shape.

They are among the pairs of Unicode's confusables (UTS #39). Letters of one alphabet, as `l` and
`I`, are told apart: words of ASCII alone never look alike.
"""


def skeleton(word: str) -> str:
    """What words that look alike have in common; of a word of ASCII it is the word."""
    if word.isascii():
        return word
    return "".join(_TWINS.get(c, c) for c in normalize("NFD", word))


# --- words that are taken ------------------------------------------------------------------------

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


def taken_as(word: str) -> str:
    """What a word is already that no child of a module can be called; else nothing."""
    if word in RESERVED:
        return "an attribute of every nn.Module"
    # Graphs that PyTorch traces are written as Python that reads `self.conv1`.
    return "a keyword of Python" if iskeyword(word) else ""
