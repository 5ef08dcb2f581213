"""The sandbox board: a job board on this machine that misbehaves on request. See docs/sandbox.md."""

from local.board.faults import KINDS, Fault, Faults
from local.board.imports import SandboxImport
from local.board.sandbox import SandboxBoard

__all__ = ["KINDS", "Fault", "Faults", "SandboxBoard", "SandboxImport"]
