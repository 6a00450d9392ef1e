"""`sbtools doctor`."""

from __future__ import annotations

import json

import click

from sbtools import __version__
from sbtools.cli import messages, options


@click.command("doctor", context_settings=options.CONTEXT)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@options.talk_options
def command(quiet: bool, verbose: int, as_json: bool) -> int:
    """Say whether everything that sbtools needs works here, and what to do where it does not.

    Run it in the directory that you work in. --quiet leaves out what is well.

    Exit status: 1 when something fails.

    \b
    Examples:
      sbtools doctor
      sbtools doctor --json > doctor.json
    """
    from sbtools.doctor import examine

    messages.begin_command(verbose, quiet)
    findings = examine()
    failed = any(finding.status == "FAIL" for finding in findings)
    if as_json:
        checks = [vars(finding) for finding in findings]
        click.echo(json.dumps({"sbtools": __version__, "ok": not failed, "checks": checks}))
        return int(failed)
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        if not (quiet and finding.status == "ok"):
            fix = f" -> {finding.fix}" if finding.fix else ""
            line = f"{finding.status:4}  {finding.name:{width}}  {finding.found}{fix}"
            messages.show(line)
    return int(failed)
