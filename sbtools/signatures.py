"""What a class or function says of itself, read from its source: nothing heavy is imported."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sbtools.registry import load


@dataclass(frozen=True)
class Signature:
    """The docstring, the arguments with their defaults, and a class's `defaults`.

    An argument without a default has `inspect.Parameter.empty`.
    """

    doc: str
    arguments: Mapping[str, Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)


def read(target: str) -> Signature:
    """Of "module:attribute". What its source does not tell, as a default that is computed, comes
    from importing it; packages above the module are imported in any case."""
    module, _, attribute = target.partition(":")
    try:
        return _from_source(module, attribute)
    except (LookupError, ValueError, SyntaxError, OSError, ImportError, StopIteration):
        return _from_object(load(target))


def _from_source(module: str, attribute: str) -> Signature:
    """Raises LookupError or ValueError where the source does not tell."""
    tree = _tree(module)
    node = _named(tree.body, attribute)
    if isinstance(node, ast.FunctionDef):
        return Signature(ast.get_docstring(node) or "", _arguments(node))
    line = list(_line(module, tree, node))
    docs = (ast.get_docstring(each) for each in line)
    made = next(made for each in line for made in each.body if _is(made, "__init__"))
    told = next((told for told in map(_defaults, line) if told is not None), None)
    if told is None and not _ends(line[-1]):
        raise LookupError("a class further up may have defaults")
    assert isinstance(made, ast.FunctionDef)
    arguments = dict(list(_arguments(made).items())[1:])
    return Signature(next(filter(None, docs), ""), arguments, told or {})


def _tree(module: str) -> ast.Module:
    spec = find_spec(module)
    if spec is None or not str(spec.origin).endswith(".py"):
        raise LookupError(module)
    return ast.parse(Path(str(spec.origin)).read_text("utf-8"))


def _line(module: str, tree: ast.Module, node: ast.ClassDef) -> Iterator[ast.ClassDef]:
    """The class, and those it inherits from, as far as sources name them."""
    if node.decorator_list:
        raise LookupError("a decorator may change the class")
    yield node
    base = node.bases[0] if len(node.bases) == 1 else None
    if not isinstance(base, ast.Name):
        return
    for each in tree.body:
        if isinstance(each, ast.ClassDef) and each.name == base.id:
            yield from _line(module, tree, each)
        if isinstance(each, ast.ImportFrom) and each.module and not each.level:
            for alias in each.names:
                if base.id == (alias.asname or alias.name):
                    above = _tree(each.module)
                    found = _named(above.body, alias.name)
                    if isinstance(found, ast.ClassDef):
                        yield from _line(each.module, above, found)


def _ends(node: ast.ClassDef) -> bool:
    """Whether nothing of ours stands above the class."""
    return all(ast.unparse(base) in ("nn.Module", "torch.nn.Module", "object", "ABC")
               for base in node.bases)  # fmt: skip


def _is(node: ast.stmt, name: str) -> bool:
    return isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name


def _named(body: list[ast.stmt], name: str) -> ast.ClassDef | ast.FunctionDef:
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name:
            return node
    raise LookupError(name)


def _arguments(node: ast.FunctionDef) -> dict[str, Any]:
    given = node.args
    plain = [*given.posonlyargs, *given.args]
    values: list[ast.expr | None] = [None] * (len(plain) - len(given.defaults)) + [*given.defaults]
    pairs = [
        *zip(plain, values, strict=True),
        *zip(given.kwonlyargs, given.kw_defaults, strict=True),
    ]
    empty = inspect.Parameter.empty
    return {each.arg: empty if v is None else ast.literal_eval(v) for each, v in pairs}


def _defaults(node: ast.ClassDef) -> dict[str, Any] | None:
    for each in node.body:
        targets = [each.target] if isinstance(each, ast.AnnAssign) else getattr(each, "targets", [])
        if any(isinstance(t, ast.Name) and t.id == "defaults" for t in targets):
            value = getattr(each, "value", None)
            return dict(ast.literal_eval(value)) if value is not None else {}
    return None


def _from_object(made: Any) -> Signature:
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    known = inspect.signature(made).parameters
    arguments = {name: each.default for name, each in known.items() if each.kind not in kinds}
    return Signature(inspect.getdoc(made) or "", arguments, getattr(made, "defaults", {}))
