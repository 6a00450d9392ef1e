"""Training as it is: the arm that methods are compared with."""

from __future__ import annotations

from sbtools.methods.base import Method


class Plain(Method):
    """The objective on the clips as they are loaded."""

    name = "none"
