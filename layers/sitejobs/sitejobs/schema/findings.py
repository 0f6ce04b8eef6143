"""What a check finds, as data."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

Level = Literal["required", "recommended"]
Kind = Literal[
    "server",
    "schema",
    "type",
    "table",
    "column",
    "view",
    "values",
    "privilege",
    "rows",
    "index",
    "extension",
    "migration",
    "service",
]
"""What a finding is about, in the order in which findings are told."""


@dataclass(frozen=True)
class Finding:
    """One thing that the database lacks. `mend` is SQL or a command to paste."""

    level: Level
    kind: Kind
    object: str
    problem: str
    jobs: tuple[str, ...]
    mend: str


@dataclass(frozen=True)
class Report:
    """The database that was checked and its findings, required ones first."""

    server: str
    database: str
    role: str
    search_path: tuple[str, ...]
    jobs: tuple[str, ...]
    findings: tuple[Finding, ...]
    silenced: int = 0
    """Number of recommendations that were left out because they are known."""

    @property
    def ok(self) -> bool:
        """Whether every job can run; recommendations do not count."""
        return not any(finding.level == "required" for finding in self.findings)

    def without(self, silenced: Collection[str]) -> "Report":
        """The report without recommendations of these kinds or about these objects; what is required stays.

        An object is named as the report does, with or without quotes.
        """
        names = {name.replace('"', "") for name in silenced}
        kept = tuple(
            finding
            for finding in self.findings
            if finding.level == "required" or not names & {finding.kind, finding.object.replace('"', "")}
        )
        return replace(self, findings=kept, silenced=self.silenced + len(self.findings) - len(kept))


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Required ones first, then by kind: what many others follow from comes first."""
    kinds = get_args(Kind)
    return tuple(sorted(findings, key=lambda finding: (finding.level != "required", kinds.index(finding.kind))))
