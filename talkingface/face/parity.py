"""Runs the recorded cases of this part."""

from __future__ import annotations

from ..parity.run import Runner

RUNNERS: dict[str, Runner] = {}
