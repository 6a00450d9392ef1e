"""A function of the user's that makes a network: calling it, and what it says of the network."""

from __future__ import annotations

import inspect
import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from torch import Tensor, nn

from sbtools.errors import SbtoolsError, UsageError
from sbtools.models.recipe import Recipe
from sbtools.own_code import calling, located, told

log = logging.getLogger("sbtools")

FRAMES = 8
"""Frames of a clip where a network does not say how many it sees."""


def call_factory(text: str, given: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """What "package.module:factory" makes, of those of `given` that it has arguments for.

    Raises UsageError where it cannot be imported, and for options that it does not take;
    SbtoolsError for what it raises itself.
    """
    factory = _found(text)
    taken = _arguments(factory, text, given, options)
    with calling(text):
        return factory(**taken)


def _found(text: str) -> Callable[..., Any]:
    """What the text names; UsageError where there is no such module, or nothing of that name."""
    name, _, attribute = text.partition(":")
    module = _imported(name, text)
    found: Any = module
    for part in attribute.split("."):
        if not part or not hasattr(found, part):
            own = [key for key, value in vars(module).items() if _may_make(key, value, module)]
            raise UsageError(f"--model {text}: {name} has no {attribute or 'such'!a}"
                             + (f"; it has {', '.join(own)}" if own else ""))  # fmt: skip
        found = getattr(found, part)
    if not callable(found) or isinstance(found, nn.Module):
        example = f", as in def make(): return {attribute}" if callable(found) else ""
        raise UsageError(
            f"--model {text} is a {type(found).__name__}, not a function: name one that makes the "
            f"network{example}"
        )
    factory: Callable[..., Any] = found
    return factory


def _may_make(name: str, value: Any, module: Any) -> bool:
    """Whether something in a module could be the factory that was meant."""
    made = inspect.isfunction(value) or inspect.isclass(value)
    return made and value.__module__ == module.__name__ and not name.startswith("_")


def _imported(name: str, text: str) -> Any:
    """The module; the working directory comes first. What it raises itself is told as its own."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return import_module(name)
    except Exception as error:
        package = name.partition(".")[0]
        if located(error, package):
            raise SbtoolsError(told(error, package)) from error
        reason = str(error)
    if name.endswith(".py") or os.sep in name:
        bare = os.path.basename(name).removesuffix(".py")
        raise UsageError(f"--model {text} names a file: cd to its folder, and --model "
                         f"{bare}:{text.partition(':')[2]}")  # fmt: skip
    raise UsageError(
        f"--model {text} cannot be imported ({reason}): it is module:factory, looked for in the "
        "working directory and where Python looks, or torchvision:NAME, or hf:FOLDER"
    )


def _arguments(
    factory: Callable[..., Any], text: str, given: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """What the factory is called with; texts of options become the types of its defaults."""
    from sbtools.backends import checked

    known = inspect.signature(factory).parameters
    common = {name: value for name, value in given.items() if name in known}
    wanted = "classes" in known and known["classes"].default is inspect.Parameter.empty
    if wanted and given["classes"] is None:
        raise UsageError(f"{text} wants the classes: name them, --classes FILE")
    if given["weights"] and "weights" not in known:
        raise UsageError(f"--weights: {text} does not take them; give it an argument weights=None")
    if any(p.kind is p.VAR_KEYWORD for p in known.values()):
        return {**common, **options}
    own = [p.replace(kind=p.KEYWORD_ONLY) for name, p in known.items() if name not in given]

    def take(**options: Any) -> None:
        """Has the signature of the options."""

    take.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
    return {**common, **checked(take, options, f"model {text}")}


def recipe_of(made: Any, text: str) -> Recipe:
    """What the attribute `recipe` of a user's network says, the default where it has none.

    Raises UsageError that names the factory.
    """
    asked = getattr(made, "recipe", None)
    try:
        found = Recipe.told(asked)
    except UsageError as error:
        raise UsageError(f"{text}: {error}") from None
    if asked is None:
        log.info("%s has no recipe: clips are shown to it at %d pixels, normalised as for %s",
                 text, found.size, found.normalise)  # fmt: skip
    return found


def frames_of(made: Any, text: str) -> int:
    """The attribute `frames` of a user's network, else 8; UsageError where it is no number."""
    count = getattr(made, "frames", None)
    if count is None:
        return FRAMES
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise UsageError(f"{text}: frames is a whole number above 0, not {count!a}")
    return count


def names_of(names: Any, text: str) -> list[str]:
    """The names of classes as a list; UsageError where they are none."""
    several = isinstance(names, Iterable) and not isinstance(names, str)
    if not several or not all(isinstance(name, str) for name in names):
        raise UsageError(f"{text}: classes are a list of names, not {names!a}"[:200])
    return list(names)


def called_with(video: Tensor) -> str:
    """What a network of the user's is called with, in words that help where it is refused."""
    return (
        f"the network is called with [clips, frames, 3, H, W] = {list(video.shape)}: "
        "transpose(1, 2) for torchvision's layout, flatten(0, 1) for a network of images, "
        "recipe = {'size': ...} for another H and W"
    )


def rows_of(found: Any, clips: int, source: str, what: str = "scores [clips, classes]") -> Tensor:
    """A tensor [clips, ...] of two dimensions; UsageError that says what else it is."""
    if isinstance(found, Tensor) and found.ndim == 2 and len(found) == clips:
        return found
    kind, fix = type(found).__name__, "return a tensor"
    if isinstance(found, Tensor):
        kind = f"a tensor {list(found.shape)} of {clips} clip{'s' * (clips > 1)}"
        fix = "return a row for each clip"
    elif isinstance(found, Mapping):
        names = [str(name) for name in found]
        kind = f"a {kind} of {', '.join(names[:8]) or 'nothing'}"
        fix = f"return one of its values, as in found[{(names or ['logits'])[0]!r}]"
    elif isinstance(found, (tuple, list)):
        kind, fix = f"a {kind} of {len(found)}", "return one of them, as in found[0]"
    elif found is None:
        kind, fix = "nothing", "end its forward in return"
    raise UsageError(f"{source} gives {kind}, not {what}: {fix}")


def returned(made: Any) -> str:
    """What a factory has returned, where that is no network, and what to do."""
    if made is None:
        return "returns nothing: end it in return, and the network"
    return f"returns a {type(made).__name__}, which takes no video: return the network"
