"""The manual, the README and the help say what the commands do."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from sbtools import __version__
from sbtools.backends import BackendSpec, parse_settings
from sbtools.cli import COMMANDS
from sbtools.cli.config import load as load_config
from sbtools.cli.group import group
from sbtools.cli.process import READER_GONE, STOPPING
from sbtools.errors import SbtoolsError
from sbtools.evaluate.manual import FIRST, LAST, protocols, put, recipe
from sbtools.mask.equations import MODES
from sbtools.mask.fill import NORMALISE, parse_fill
from sbtools.models.recipe import Recipe
from sbtools.protocols import PROTOCOLS
from sbtools.records import parse
from sbtools.records.fields import _FIELDS
from sbtools.store.layout import DTYPES, FORMATS
from tests.shown import helped

HERE = Path(__file__).resolve().parent.parent
PAGES = sorted((HERE / "man").glob("*.[157]"))
COMMAND_PAGES = [page for page in PAGES if page.suffix == ".1"]
README = (HERE / "README.md").read_text("utf-8")
ORDER = ["NAME", "SYNOPSIS", "EXAMPLES", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"]


def plain(page: Path) -> str:
    """The text of a page without its macros and fonts."""
    text = re.sub(r"\\f[BIPR]|\\&", "", page.read_text("utf-8"))
    text = text.replace("\\-", "-").replace("\\ ", " ").replace("\\e", "\\")
    return re.sub(r"^\.([A-Z]+) ?(.*)$", _joined, text, flags=re.M)


def _joined(macro: re.Match[str]) -> str:
    """The arguments of a macro as they are set: those of two fonts, like BR, without a space."""
    arguments = [quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', macro[2])]
    return ("" if re.fullmatch("[BIR]{2}", macro[1]) else " ").join(arguments)


def blocks(page: Path) -> list[str]:
    """What stands between .EX and .EE."""
    text = re.sub(r"\\e\n", " ", page.read_text("utf-8")).replace("\\-", "-")
    return re.findall(r"^\.EX\n(.*?)^\.EE", text, flags=re.M | re.S)


def page_of(command: str) -> str:
    return plain(HERE / "man" / f"sbtools-{command}.1")


def options_of(command: str) -> list[str]:
    found = group.get_command(click.Context(group), command)
    assert found is not None
    context = click.Context(found, info_name=command)
    return [
        flag
        for option in found.get_params(context)
        if isinstance(option, click.Option)
        for flag in (*option.opts, *option.secondary_opts)
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_page_that_names_every_option(command: str) -> None:
    words = set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", page_of(command)))
    assert set(options_of(command)) - words == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_no_page_names_an_option_that_is_not_there(command: str) -> None:
    text = page_of(command).partition("OPTIONS")[2].partition("EXIT STATUS")[0]
    headed = re.findall(r"^(--?[a-z][a-z0-9-]*)", text, flags=re.M)
    assert headed and set(headed) <= set(options_of(command))


@pytest.mark.parametrize("page", COMMAND_PAGES, ids=lambda p: p.name)
def test_pages_begin_with_examples_and_end_with_exit_statuses(page: Path) -> None:
    heads = re.findall(r"^\.SH (.*)$", page.read_text("utf-8"), flags=re.M)
    assert [head for head in heads if head in ORDER] == ORDER


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_pages_are_of_this_version_and_point_to_pages_that_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    assert f'"sbtools {__version__}"' in text.splitlines()[0]
    named = re.findall(r"(sbtools[a-z-]*)\(([157])\)", plain(page))
    assert named and {f"{name}.{section}" for name, section in named} <= {p.name for p in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_pages_format_without_a_warning(page: Path) -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", page], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_every_exit_status_is_in_the_manual() -> None:
    kinds = [SbtoolsError, *SbtoolsError.__subclasses__()]
    codes = {kind.exit_code for kind in kinds} | set(STOPPING.values()) | {0, 3, READER_GONE}
    statuses = plain(HERE / "man" / "sbtools.1").partition("EXIT STATUS")[2]
    assert {int(code) for code in re.findall(r"^(\d+)$", statuses, flags=re.M)} == codes


def test_every_field_of_a_record_is_in_the_manual() -> None:
    text = (HERE / "man" / "sbtools-records.5").read_text("utf-8")
    heads = re.findall(r"^\.TP\n\.BR ([^\[\n]*) \"? ?\[", text, flags=re.M)
    named = {name for head in heads for name in re.findall(r"[a-z_]+", head)}
    assert set(_FIELDS) | {"digest"} == named


def test_every_kind_of_error_is_in_the_manual() -> None:
    source = "\n".join(path.read_text("utf-8") for path in (HERE / "sbtools").rglob("*.py"))
    raised = set(re.findall(r'(?:ClipError\(\s*|^KIND = )"([a-z-]+)"', source, flags=re.M))
    kinds = plain(HERE / "man" / "sbtools-records.5").partition("KINDS OF")[2]
    kinds = kinds.partition("STRICT READING")[0]
    assert raised and raised == set(re.findall(r"^([a-z-]+)$", kinds, flags=re.M))


def test_every_dataset_of_a_store_is_in_the_manual() -> None:
    text = plain(HERE / "man" / "sbtools-store.5")
    assert set(re.findall(r"/(?:clips/KEY|views/NAME)/([a-z]+)", text)) == set(DTYPES)
    assert all(f'"{format}"' in text or format in text for format in FORMATS)


def test_every_promise_about_faults_has_tests_and_these_exist() -> None:
    _, *faults = (HERE / "man" / "sbtools-faults.7").read_text("utf-8").split("\n.TP\n")
    assert len(faults) > 30
    for fault in faults:
        named = re.findall(r"^([a-z_/]+\.py)::(test_\w+)$", fault, flags=re.M)
        assert named and re.search(r"^Exit status \d", fault, flags=re.M), fault
        for file, name in named:
            source = (HERE / "tests" / file).read_text("utf-8")
            assert re.search(rf"^def {name}\(", source, flags=re.M), f"{file}::{name}"


def test_the_first_page_leads_to_every_other() -> None:
    named = re.findall(r"(sbtools-[a-z]+)\(([157])\)", plain(HERE / "man" / "sbtools.1"))
    assert {f"{name}.{section}" for name, section in named} == {p.name for p in PAGES} - {
        "sbtools.1"
    }


def test_the_example_of_a_record_is_one() -> None:
    line = " ".join(blocks(HERE / "man" / "sbtools-records.5")[0].split())
    assert parse(line.encode(), "page")["id"] == "walk/park"


def test_every_mode_and_constant_is_in_the_manual() -> None:
    text = page_of("mask")
    for name, mode in MODES.items():
        number = f" ({mode.equation})" if mode.equation else ""
        assert re.search(rf"^{re.escape(name + number)}$", text, flags=re.M), name
    for constants in NORMALISE.values():
        for values in constants:
            assert ", ".join(map(str, values)) in text


def examples() -> Iterator[tuple[str, str]]:
    """Every line of sbtools that a user is shown, and where."""
    for page in PAGES:
        if page.name == "sbtools-extend.7":
            continue  # of a package of the user's: tests/test_extend.py runs them
        for block in blocks(page):
            yield from ((page.name, line) for line in block.splitlines())
    for block in re.findall(r"^```(?:sh|console)\n(.*?)^```", README, flags=re.M | re.S):
        for line in re.sub(r" *\\\n *| +#.*", " ", block).splitlines():
            yield "README.md", line.removeprefix("$ ").strip()
    for command in ["", *COMMANDS]:
        yield from ((each.where, each.text) for each in helped(command))


def commands_in(line: str) -> Iterator[list[str]]:
    """The words of each sbtools command in a line of shell."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    words.commenters = ""
    found: list[str] = []
    skip = False
    for word in [*words, ";"]:
        if set(word) <= set("();<>|&"):
            skip = set(word) <= set("<>")
            if not skip:
                if found and found[0] in ("sbtools", "sbtools-array"):
                    yield found[1:]
                found = []
        elif skip:
            skip = False
        else:
            found.append(word)


SHOWN = [
    (where, line)
    for where, line in examples()
    if "sbtools" in line and '{"' not in line and not re.match(r"sbtools \w+: ", line)
]


def test_there_are_examples_of_every_command() -> None:
    used = {words[0] for _, line in SHOWN for words in commands_in(line)}
    assert used == set(COMMANDS) and len(SHOWN) > 30


@pytest.mark.parametrize(("where", "line"), SHOWN, ids=[f"{w}: {x[:50]}" for w, x in SHOWN])
def test_examples_are_commands_as_they_are_today(
    where: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SBTOOLS_ROOT", "SBTOOLS_SHARD"):
        monkeypatch.delenv(name, raising=False)
    for words in commands_in(line):
        command = group.get_command(click.Context(group), words[0])
        assert command is not None, words
        values = command.make_context(words[0], words[1:]).params
        assert not any(name.startswith("-") for name in values.get("inputs", ()) if name != "-")
        settings = "detector_settings" if "segmenter" in values else "settings"
        for what, own in (("segmenter", "settings"), ("detector", settings)):
            if values.get(what, "auto") != "auto":
                BackendSpec(what, values[what], dict(parse_settings(values[own]))).make()
        if "scorer" in values:
            own = {"names": values["names"]} if values["names"] else {}
            BackendSpec(
                "scorer", values["scorer"], {**parse_settings(values["settings"]), **own}
            ).make()
        if "fill" in values:
            parse_fill(values["fill"])


def test_the_example_of_a_configuration_file_is_one(tmp_path: Path) -> None:
    (text,) = (text for text in blocks(HERE / "man" / "sbtools.1") if "[segment]" in text)
    file = tmp_path / "c.toml"
    file.write_text(text)
    command = group.get_command(click.Context(group), "segment")
    assert command is not None
    context = click.Context(command, info_name="segment")
    load_config(context, command.params[0], file)
    assert context.default_map == {"workers": "4", "frames": "segments:8x4"}


def test_the_commands_of_the_readme_are_those_of_continuous_integration() -> None:
    first, second, *_ = re.findall(r"^```sh\n(.*?)^```", README, flags=re.M | re.S)
    install, job = first.splitlines()
    assert install == "pip install -c constraints.txt ."
    test_install, _, test = second.strip().partition(" && ")
    ran = (HERE / ".ci" / "run").read_text("utf-8").replace(" --quiet", "").splitlines()
    assert test_install in ran and test in ran
    assert ran.index("export PYTEST_ADDOPTS=--durations=10") < ran.index(test)
    assert job == "sbtools segment clips/ | sbtools mask --mode bg+obj --records masked.jsonl"


def test_the_readme_lists_every_command() -> None:
    listed = re.findall(r"^\| `sbtools ([a-z]+)`", README, flags=re.M)
    assert listed == list(COMMANDS)
    for path in re.findall(r"`((?:man|examples)/[\w./]+)`|\]\((\w+/[\w./]+)\)", README):
        assert (HERE / "".join(path)).exists()


def test_every_metric_is_in_the_manual_as_the_table_has_it() -> None:
    page = (HERE / "man" / "sbtools-result.5").read_text("utf-8")
    assert put(page) == page, "run python -m sbtools.evaluate.manual man/sbtools-result.5"
    named = re.findall(r"^\.B (\S+)$", page.partition(FIRST)[2].partition(LAST)[0], flags=re.M)
    assert named[:3] == ["top1", "p_top1", "b_top1"] and len(named) == len(set(named)) > 20


def test_every_field_of_a_recipe_is_in_the_manual_as_the_table_has_it() -> None:
    page = (HERE / "man" / "sbtools-extend.7").read_text("utf-8")
    fix = "run python -m sbtools.evaluate.manual man/sbtools-extend.7"
    assert put(page, recipe()) == page, fix
    named = re.findall(r"^\.B (\S+)$", page.partition(FIRST)[2].partition(LAST)[0], flags=re.M)
    assert (
        named == [field.name for field in fields(Recipe)]
        and "clip, kinetics, slowfast, half; default imagenet." in page
    )


def test_every_protocol_is_in_the_manual_as_the_table_has_it() -> None:
    page = (HERE / "man" / "sbtools-eval.1").read_text("utf-8")
    fix = "run python -m sbtools.evaluate.manual man/sbtools-eval.1"
    assert put(page, protocols()) == page, fix
    named = re.findall(r"^\.B (\S+)$", page.partition(FIRST)[2].partition(LAST)[0], flags=re.M)
    assert [name.replace("\\-", "-") for name in named] == [*PROTOCOLS]
