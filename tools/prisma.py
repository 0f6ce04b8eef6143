"""Write docs/prisma/sitejobs.prisma, the tables and views of results that a site reads, from the bundle's contract.

    python tools/prisma.py

A test compares the file with what this writes, and with a database.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from sitejobs.schema.bundle import BUNDLE_TABLES
from sitejobs.schema.model import Column, Table

FILE: Final = Path(__file__).resolve().parent.parent / "docs" / "prisma" / "sitejobs.prisma"
SCHEMA: Final = "sitejobs"

_HEAD: Final = f"""\
// What a site reads of the jobs' results. Copy it to prisma/sitejobs.prisma, and leave it as it is.
// It is apart from the site's own schema.prisma, so that `prisma migrate` never sees these tables.

generator client {{
  provider        = "prisma-client"
  output          = "../generated/sitejobs"
  previewFeatures = ["views"]
}}

// With Prisma 6 this block also has: url = env("DATABASE_URL")
datasource db {{
  provider = "postgresql"
  schemas  = ["{SCHEMA}"]
}}
"""

READ: Final[Mapping[str, str]] = {
    # Tables: the columns that may be NULL. Views, whose columns all may be for PostgreSQL: those that are in fact.
    "MatchScore": "genderOk ageOk distanceOk scoreLike scoreBack distanceKm avgAttractive avgSmart avgFunny"
    " avgInteresting",
    "MatchScoreExplained": "distanceKm scoreLike scoreBack",
    "MatchCandidates": "",
    "MatchScoreViewer": "skipped",
    "UserCompatibility": "score avgAttractive avgSmart avgFunny avgInteresting chance",
    "UserCompatibilityExplained": "score reasons",
    "UserCompatibilityViewer": "skipped",
    "FeedPresorted": "phase1Json",
    "FeedPresortedUser": "skipped fingerprint publicPosts scored lastScore",
    "ProfileSearchIndex": "displayName bio locationText lat lng geoPrecision locationAccuracy gender intent age"
    " ageBucket birthdate city state country accountCreatedAt",
    "SearchableUser": "",
    "UserTrait": "",
    "InterestUserSet": "createdAt",
    "InterestSubjectUserSet": "createdAt",
    "PostFeatures": "",
    "TrendingScore": "",
    "UserAffinityProfile": "",
    "MediaMetadata": "etag objectModifiedAt format kind mimeType sizeBytes durationMs width height storedWidth"
    " storedHeight rotation mirrored aspectRatio hasVideo hasAudio videoCodec videoProfile bitDepth frameRate bitRate"
    " hdrFormat audioCodec channels sampleRate language animated frameCount capturedAt placeholder dominantColor"
    " playable",
    "JobRunOverview": "finishedAt seconds quietSeconds message error pageErrors",
}
"""The tables and views that a site reads, and which of their columns may be NULL (arrays are empty then)."""

_TYPES: Final = {
    "bigint": "BigInt",
    "integer": "Int",
    "smallint": "Int @db.SmallInt",
    "real": "Float @db.Real",
    "double precision": "Float",
    "boolean": "Boolean",
    "text": "String",
    "character": "String @db.Char({})",
    "numeric": "Decimal @db.Decimal({})",
    "jsonb": "Json",
    "date": "DateTime @db.Date",
    "timestamp with time zone": "DateTime @db.Timestamptz(6)",
    "timestamp without time zone": "DateTime @db.Timestamp(6)",
    "tsvector": 'Unsupported("tsvector")',
}


def schema() -> str:
    """The text of the file."""
    tables = [table for table in BUNDLE_TABLES if table.name in READ]
    return "\n".join([_HEAD, *("\n".join(_block(table)) for table in tables)])


def _block(table: Table) -> Iterator[str]:
    """A model or view, its columns aligned as `prisma format` does."""
    optional = READ[table.name].split()
    key = next((index.columns for index in table.indexes if index.unique), ())
    fields = [(column.name, *_field(column, optional=column.name in optional)) for column in table.columns]
    wide, wider = (max(len(field[place]) for field in fields) for place in (0, 1))
    yield f"{'view' if table.view else 'model'} {table.name} {{"
    for name, kind, native in fields:
        attributes = " ".join(filter(None, ("@id" if key == (name,) else "", native)))
        yield f"  {name:{wide}} {kind:{wider}} {attributes}".rstrip()
    yield ""
    if len(key) > 1:
        yield f"  @@id([{', '.join(key)}])"
    yield f'  @@schema("{SCHEMA}")'
    yield "}\n"


def _field(column: Column, *, optional: bool) -> tuple[str, str]:
    """Prisma's type of a column, and the attribute that names PostgreSQL's."""
    parts = re.fullmatch(r"([a-z ]+)(?:\(([^)]*)\))?(\[\])?", column.type)
    assert parts is not None, column
    kind, _, native = _TYPES[parts[1]].format((parts[2] or "").replace(",", ", ")).partition(" ")
    return kind + (parts[3] or ("?" if optional else "")), native


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(schema())
    print(f"wrote {FILE.name}")
