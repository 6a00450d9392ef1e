"""Every message that the program can say, by command, so that they can be read in one go:

    python tests/messages.py

They are found in the source: what errors, the log and help say, and every other text of two words
or more, since many a message is put together elsewhere than it is said. What a message fills in
is shown as {name}. Those of modules that several commands use are under "shared".
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
PACKAGE = HERE / "sbtools"
SHARED = "shared"
HOMES = {"evaluate": "eval", "compose": "mask", "group": "sbtools", "help": "sbtools"}
"""Modules that are of one command and have another name."""
NO_TEXT = {"compile", "fullmatch", "match", "search", "sub", "findall", "finditer", "split",
           "entry_points", "strftime", "add_argument"}  # fmt: skip
"""Functions whose arguments are no text to read."""


@dataclass(frozen=True)
class Message:
    """A text, what says it (an error, a level of the log, an option, help, page), and where."""

    file: str
    line: int
    said: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}  {self.said}: {self.text}"


class _Reader(ast.NodeVisitor):
    """Collects the messages of a file."""

    def __init__(self, file: str) -> None:
        self.file, self.said, self.found = file, "text", list[Message]()

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        decorators = " ".join(ast.unparse(each) for each in node.decorator_list)
        if re.search(r"click\.(command|group)\(", decorators):
            self._add("help", node.lineno, ast.get_docstring(node) or "")
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        self._within("help" if node.arg in ("short_help", "epilog") else self.said, node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        said = _name(node.exc.func) if isinstance(node.exc, ast.Call) else self.said
        self._within(said, *ast.iter_child_nodes(node))

    def visit_Call(self, node: ast.Call) -> None:
        name, first = _name(node.func), node.args[0] if node.args else None
        if name in NO_TEXT and not isinstance(first, ast.JoinedStr):
            return
        if name == "ClipError" and isinstance(first, ast.Constant):
            self._within(f"{name} {first.value}", *node.args[1:])
        elif _logs(node.func):
            self._within(name, *ast.iter_child_nodes(node))
        elif option := _option(node):
            self._within(option, *ast.iter_child_nodes(node))
        else:
            self.generic_visit(node)

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.expr) and (text := told(node)) is not None:
            self._add(self.said, node.lineno, text)
        else:
            super().visit(node)

    def _within(self, said: str, *nodes: ast.AST) -> None:
        """Read nodes as what `said` says."""
        before, self.said = self.said, said
        for each in nodes:
            self.visit(each)
        self.said = before

    def _add(self, said: str, line: int, text: str) -> None:
        text = " ".join(text.replace("\b", " ").split())
        sole = said[:1].isupper() and re.search("[a-z]{3}", text)
        if sole or re.search(r"[a-zA-Z'\"}\])]+[,;:.]? [\w'\"{(\[]*[a-zA-Z]{2}", text):
            self.found.append(Message(self.file, line, said, text))


def told(node: ast.expr) -> str | None:
    """The text of an expression, with {name} for what is filled in; None where it is no text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_part(each) for each in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = told(node.left), told(node.right)
        if left is not None or right is not None:
            return (_hole(node.left) if left is None else left) + (
                _hole(node.right) if right is None else right
            )
    return None


def _part(node: ast.expr) -> str:
    return _hole(node.value) if isinstance(node, ast.FormattedValue) else told(node) or ""


def _hole(node: ast.expr) -> str:
    return f"{{{ast.unparse(node)}}}"


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else ast.unparse(node)


def _logs(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("log")


def _option(call: ast.Call) -> str:
    """The option that a call adds, with its short name; "" where it adds none."""
    names = [str(each.value) for each in call.args if isinstance(each, ast.Constant)]
    named = [name for name in names if re.fullmatch("--?[a-z][a-z-]*", name)]
    return "/".join(named) if named and named[0] == names[0] else ""


def _of_page(path: Path) -> Iterator[Message]:
    """The texts of a template, line by line."""
    source = re.sub(r"<style>.*?</style>", _blank, path.read_text("utf-8"), flags=re.S)
    for number, line in enumerate(source.splitlines(), 1):
        holes = re.sub(r"\{\{-? *(.*?) *-?\}\}", r"{\1}", re.sub(r"\{%.*?%\}", " ", line))
        text = " ".join(re.sub(r"<[^>]*>", " ", holes).split())
        if re.search("[A-Za-z]{2}", re.sub(r"\{.*?\}|&\w+;", "", text)):
            yield Message(_place(path), number, "page", text)


def _blank(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")


@cache
def _trees() -> dict[str, ast.Module]:
    """Each module by its dotted name."""
    return {
        _module(_place(path)): ast.parse(path.read_text("utf-8"), str(path))
        for path in PACKAGE.rglob("*.py")
    }


def _module(file: str) -> str:
    return file.rpartition(".")[0].removesuffix("/__init__").replace("/", ".")


def _place(path: Path) -> str:
    return path.relative_to(HERE).as_posix()


def messages() -> list[Message]:
    """Every message, file by file."""
    found = [each for path in sorted(PACKAGE.rglob("*.html")) for each in _of_page(path)]
    for path in sorted(PACKAGE.rglob("*.py")):
        reader = _Reader(_place(path))
        reader.visit(_trees()[_module(reader.file)])
        found += sorted(reader.found, key=lambda message: message.line)
    return found


@cache
def commands() -> list[str]:
    """The names of the commands, from their table."""
    (table,) = (
        node for node in _trees()["sbtools.cli.commands"].body if isinstance(node, ast.Assign)
    )
    assert isinstance(table.value, ast.Dict)
    return [key.value for key in table.value.keys if isinstance(key, ast.Constant)]


def home(module: str) -> str:
    """The command that a module is of by its name, or ""."""
    words = [word for word in module.split(".")[1:] if word != "cli"]
    first = words[0] if words else ""
    named = [name for name in commands() if first == name or first.startswith(f"{name}_")]
    return HOMES.get(first, named[0] if named else "")


@cache
def _users() -> dict[str, set[str]]:
    """The commands that reach each module by what is imported, or named "module:attribute"."""
    found = defaultdict(set)
    for command in commands():
        left = [f"sbtools.cli.{command}"]
        while left:
            module = left.pop()
            if command not in found[module]:
                found[module].add(command)
                left += _imported(module)
    return found


@cache
def _imported(module: str) -> list[str]:
    named = []
    for node in ast.walk(_trees()[module]):
        if isinstance(node, ast.ImportFrom):
            named += [f"{node.module}.{each.name}" for each in node.names] + [str(node.module)]
        elif isinstance(node, ast.Import):
            named += [each.name for each in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named.append(node.value.partition(":")[0])
    return [name for name in named if name in _trees()]


@cache
def group_of(file: str) -> str:
    """The command that a file is of, or "shared"."""
    module = _module(file)
    users = _users().get(module, set())
    return home(module) or (next(iter(users)) if len(users) == 1 else SHARED)


@cache
def by_command() -> dict[str, list[Message]]:
    """The messages of each command in the order of the table, then those of several."""
    found: dict[str, list[Message]] = {name: [] for name in ["sbtools", *commands(), SHARED]}
    for message in messages():
        found[group_of(message.file)].append(message)
    return found


def listing() -> Iterator[str]:
    """The lines that are printed."""
    for command, said in by_command().items():
        yield f"== {command}"
        yield from map(str, said)


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in listing())
