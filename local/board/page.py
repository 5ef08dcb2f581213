"""The page at `/`, which shows people what is on the board."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from local.board.imports import SandboxImport
from local.board.job_board import JobBoard
from local.board.messages import Deletion

POSTINGS_SHOWN = 200
IMPORTS_SHOWN = 50
ERRORS_SHOWN = 10
DELETIONS_SHOWN = 50
NUMBERS_SHOWN = 10
POSTING_FIELDS = ("referenceNumber", "title", "specialty", "city", "state", "postalCode")
COUNTS = ("added", "updated", "unchanged", "failed", "deleted")

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #223; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 2rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #dde; }
th { background: #f3f4f8; } caption { text-align: left; color: #667; } code { font-size: 13px; }
"""


def render(board: JobBoard) -> str:
    """Render the page as HTML. Everything from outside is escaped."""
    sections = [_account(board, name) for name in board.accounts]
    faults = ", ".join(f"{fault['name']} ({fault['times'] or 'until cleared'})" for fault in board.faults.as_json())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox board</title>'
        f"<style>{STYLE}</style><h1>Sandbox board</h1>"
        f"<p>The API is at <code>{escape(board.url)}</code>. Faults to come: {escape(faults) or 'none'}.</p>"
        f"{''.join(sections)}</html>"
    )


def _account(board: JobBoard, name: str) -> str:
    postings = list(board.postings(name).values())
    imports = [job_import for job_import in board.imports if job_import.account == name][::-1]
    deletions = [deletion for deletion in board.deletions if deletion.account == name][::-1]
    return (
        f"<h2>{escape(name)}</h2>"
        + _table(
            _caption(len(imports), IMPORTS_SHOWN, "import") + ", newest first",
            ("id", "requested", "status", "jobs", *COUNTS, "errors"),
            (_import_row(job_import) for job_import in imports[:IMPORTS_SHOWN]),
        )
        + _table(
            _caption(len(postings), POSTINGS_SHOWN, "posting"),
            POSTING_FIELDS,
            ([job.get(field) for field in POSTING_FIELDS] for job in postings[:POSTINGS_SHOWN]),
        )
        + _table(
            _caption(len(deletions), DELETIONS_SHOWN, "deletion") + ", newest first",
            ("requested", "listed", "deleted", "reference numbers"),
            (_deletion_row(deletion) for deletion in deletions[:DELETIONS_SHOWN]),
        )
    )


def _import_row(job_import: SandboxImport) -> list[object]:
    results = job_import.results or {}
    errors = results.get("errors", [])
    lines = [f"{error['index']} {error['referenceNumber']}: {'; '.join(error['messages'])}" for error in errors]
    if len(lines) > ERRORS_SHOWN:
        lines = [*lines[:ERRORS_SHOWN], f"and {len(lines) - ERRORS_SHOWN} more"]
    return [
        job_import.id,
        f"{job_import.requested_at:%Y-%m-%d %H:%M:%S}",
        job_import.status,
        job_import.job_count,
        *(results.get(count) for count in COUNTS),
        "\n".join(line[:300] for line in lines),
    ]


def _deletion_row(deletion: Deletion) -> list[object]:
    numbers = deletion.deleted[:NUMBERS_SHOWN]
    if len(deletion.deleted) > NUMBERS_SHOWN:
        numbers = [*numbers, f"and {len(deletion.deleted) - NUMBERS_SHOWN} more"]
    return [
        f"{deletion.at:%Y-%m-%d %H:%M:%S}",
        deletion.listed,
        len(deletion.deleted),
        ", ".join(number[:300] for number in numbers),
    ]


def _caption(count: int, limit: int, noun: str) -> str:
    total = f"{count} {noun}{'' if count == 1 else 's'}"
    return f"{total}, the first {limit} shown" if count > limit else total


def _table(caption: str, heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{body}</table>"


def _cell(value: object) -> str:
    text = "" if value is None else escape(str(value)).replace("\n", "<br>")
    return f"<td>{text}</td>"
