"""Several sample files of a unit together: files with the same header are of one form; several forms become file families."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from globolatte_ingest.onboarding.proposal import Proposal, propose
from globolatte_ingest.onboarding.sheet import read_sheet
from globolatte_ingest.onboarding.study import Known, named
from globolatte_ingest.onboarding.units_file import pattern_of
from globolatte_ingest.reading.landed_bytes import Content, FileLimits

MERGED = ("product_aliases", "kinds")


@dataclass(frozen=True)
class Source:
    """A sample file: the path that it has, or would have, in the landing zone, its unit's landing folder, and its bytes."""

    path: str
    folder: str
    content: bytes


@dataclass(frozen=True)
class Form:
    """Files that are written in the same way: their proposals, and the declaration that holds for all of them."""

    proposals: tuple[Proposal, ...]
    table: dict[str, Any]
    questions: tuple[str, ...]

    @property
    def pattern(self) -> str:
        """What matches the names of its files."""
        return pattern_of([proposal.name for proposal in self.proposals])


@dataclass(frozen=True)
class Survey:
    """All sample files of a unit, by form; `table` is the unit's table with all of them."""

    unit: str
    forms: tuple[Form, ...]
    table: dict[str, Any] = field(default_factory=dict)
    questions: tuple[str, ...] = ()

    @property
    def called(self) -> dict[str, str]:
        """How people tell each file from the others, by its path."""
        return _called([proposal for form in self.forms for proposal in form.proposals])

    @property
    def faults(self) -> list[str]:
        """What keeps files from being loaded, whatever is declared, each with its file."""
        called = self.called
        return [
            f"{called[found.path]}: {fault}"
            for form in self.forms
            for found in form.proposals
            for fault in found.faults
        ]


def survey(sources: Sequence[Source], known: Known, limits: FileLimits) -> Survey:
    """Looks at the files of one unit. Raises `RefusedError`, with the file's name in front, for a file that is no table."""
    groups: dict[tuple[str, ...], list[Proposal]] = {}
    for source in sources:
        sheet = read_sheet(source.path, Content(source.content), limits)
        proposal = propose(source.path, source.folder, sheet, known)
        groups.setdefault(tuple(header.lower() for header in sheet.headers), []).append(proposal)
    called = _called([proposal for proposals in groups.values() for proposal in proposals])
    forms = tuple(_form(proposals, called) for proposals in groups.values())
    unit = forms[0].proposals[0].unit
    if len(forms) == 1:
        return Survey(unit, forms, forms[0].table)
    patterns = [form.pattern for form in forms]
    questions = []
    if len(set(patterns)) < len(patterns):
        twice = sorted({pattern for pattern in patterns if patterns.count(pattern) > 1})
        questions.append(
            f"Which files are of which form? The names of different forms all match {named(twice)}: name the files apart"
        )
    families = [{"pattern": form.pattern, **form.table} for form in forms]
    return Survey(unit, forms, {"files": families}, tuple(questions))


def _called(proposals: Sequence[Proposal]) -> dict[str, str]:
    """Each file's name by its path; the path where several have that name, such as one `sales.csv` a day."""
    names = Counter(proposal.name for proposal in proposals)
    return {proposal.path: proposal.name if names[proposal.name] == 1 else proposal.path for proposal in proposals}


def _form(proposals: Sequence[Proposal], called: Mapping[str, str]) -> Form:
    """What holds for files of one header: what any of them shows, and a question where two show different things."""
    table: dict[str, Any] = {}
    questions = []
    for proposal in proposals:
        for key, value in proposal.table.items():
            if key in MERGED:
                table[key] = {**table.get(key, {}), **value}
            elif key not in table:
                table[key] = value
            elif _differ(table[key], value):
                questions.append(
                    f"{key} is {table[key]!r} in {called[proposals[0].path]}, but {value!r} in {called[proposal.path]}: which is it?"
                )
    if len(proposals) > 1:
        for key in ("encoding", "times_in", "lines_above_header", "lines_below_data"):
            without = [called[proposal.path] for proposal in proposals if key in table and key not in proposal.table]
            if without:
                questions.append(
                    f"{key} is {table[key]!r} in some files, and nothing of it is in {named(without)}: which is it?"
                )
    ordered = {key: table[key] for key in (*[key for key in table if key not in MERGED], *MERGED) if key in table}
    return Form(tuple(proposals), ordered, tuple(questions))


def _differ(one: object, other: object) -> bool:
    return json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True)


def as_document(found: Survey) -> Mapping[str, Any]:
    """Everything about it for programs."""
    called = found.called
    return {
        "unit": found.unit,
        "declaration": found.table,
        "questions": [*found.questions, *(question for form in found.forms for question in form.questions)],
        "files": [
            {
                "file": called[proposal.path],
                "rows": proposal.rows,
                "columns": proposal.meanings,
                "left_out": list(proposal.unmapped),
                "findings": list(proposal.findings),
                "questions": list(proposal.questions),
                "faults": list(proposal.faults),
            }
            for form in found.forms
            for proposal in form.proposals
        ],
    }
