"""The commands by name."""

from __future__ import annotations

COMMANDS = {
    "index": "sbtools.cli.index:command",
    "split": "sbtools.cli.split:command",
    "detect": "sbtools.cli.detect:command",
    "segment": "sbtools.cli.segment:command",
    "mask": "sbtools.cli.mask:command",
    "scenes": "sbtools.cli.scenes:command",
    "bank": "sbtools.cli.bank:command",
    "train": "sbtools.cli.train:command",
    "eval": "sbtools.cli.eval:command",
    "card": "sbtools.cli.card:command",
    "features": "sbtools.cli.features:command",
    "probe": "sbtools.cli.probe:command",
    "similarity": "sbtools.cli.similarity:command",
    "factors": "sbtools.cli.factors:command",
    "audit": "sbtools.cli.audit:command",
    "compare": "sbtools.cli.compare:command",
    "report": "sbtools.cli.report:command",
    "status": "sbtools.cli.status:command",
    "check": "sbtools.cli.check:command",
    "view": "sbtools.cli.view:command",
    "demo": "sbtools.cli.demo:command",
    "weights": "sbtools.cli.weights:command",
    "doctor": "sbtools.cli.doctor:command",
}
"""In the order of work; other packages add to it through the entry-point group sbtools.commands."""
