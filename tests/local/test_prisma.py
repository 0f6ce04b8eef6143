"""The Prisma schema of the results, and the page that reads them: checked and run by Prisma itself, from npm."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict

from sitejobs.media.parser_host import ParserHost
from sitejobs.schema.bundle import BUNDLE_TABLES
from sitejobs_local.database.postgres import Server
from tests.databases import temporary_database
from tests.documentation import ROOT
from tests.npm import modules
from tests.promises.site import PromiseSite, separate_site
from tests.skips import Lacking, skip
from tools.prisma import FILE, READ, schema

RELEASE: Final = "7.10.1"
PACKAGES: Final = (f"prisma@{RELEASE}", "@prisma/client@7.10.0", f"@prisma/adapter-pg@{RELEASE}", "typescript@7.0.2")
VIEWER: Final = 8

COLUMNS = """
SELECT "column_name", "is_nullable" = 'YES', "data_type" = 'ARRAY' FROM information_schema.columns
WHERE "table_schema" = 'sitejobs' AND "table_name" = %s
"""
COMPILER = {"module": "commonjs", "target": "es2022", "strict": True, "skipLibCheck": True, "outDir": "out"}
READ_A_PAGE = """
const text = (key, value) => (typeof value === "bigint" ? value.toString() : value);
require("./out/page.js").page(BigInt(process.argv[1]), process.argv[2]).then(
  (found) => { console.log(JSON.stringify(found, text)); process.exit(0); },
  (error) => { console.error(error); process.exit(1); });
"""


@pytest.fixture(scope="module")
def site(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PromiseSite]:
    with (
        temporary_database(postgres_server) as url,
        ParserHost() as parser,
        separate_site(url, tmp_path_factory.mktemp("runs"), parser, "public") as made,
    ):
        yield made


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A TypeScript project with Prisma, the schema file and the page of the documentation."""
    told = subprocess.run(
        [shutil.which("node") or skip(Lacking.NPM), "--version"], capture_output=True, text=True, check=True
    ).stdout
    if [int(part) for part in re.findall(r"\d+", told)] < [20, 19]:  # an older system's is too old for Prisma 7
        skip(Lacking.NODE, told)
    (tmp_path / "node_modules").symlink_to(modules(f"prisma-{RELEASE}", PACKAGES, Lacking.PRISMA))
    (tmp_path / "prisma").mkdir()
    shutil.copy(FILE, tmp_path / "prisma")
    (tmp_path / "page.ts").write_text(snippet())
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": COMPILER, "include": ["page.ts"]}))
    return tmp_path


def snippet() -> str:
    """The page in docs/your-site.md."""
    (found,) = re.findall(r"```ts\n(.*?)```", (ROOT / "docs" / "your-site.md").read_text(), re.DOTALL)
    return str(found)


def run(project: Path, name: str, *arguments: str, **more: str) -> str:
    """Run a program of the project; nothing is fetched, whatever it would like to."""
    given = {**os.environ, "CHECKPOINT_DISABLE": "1", "PRISMA_SCHEMA_ENGINE_BINARY": str(shutil.which("true")), **more}
    path = project / "node_modules" / ".bin" / name
    command = [str(path) if path.exists() else str(shutil.which(name)), *arguments]
    done = subprocess.run(command, cwd=project, env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_file_is_as_the_contract_says() -> None:
    assert FILE.read_text() == schema(), "run: make docs"


def test_what_may_be_null_is_optional(site: PromiseSite) -> None:
    for table in BUNDLE_TABLES:
        if table.name in READ:
            optional = set(READ[table.name].split())
            found = site.connection.execute(COLUMNS, [table.name]).fetchall()
            assert {column.name for column in table.columns} == {name for name, _, _ in found}
            if not table.view:
                assert optional == {name for name, nullable, array in found if nullable and not array}, table.name
            for name, _, array in found:
                if table.view and not array and name not in optional:
                    assert not nulls(site.connection, table.name, name), f"{table.name}.{name}"


def nulls(connection: Connection, table: str, column: str) -> int:
    row = connection.execute(f'SELECT count(*) FROM "{table}" WHERE "{column}" IS NULL'.encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_a_page_of_the_site_reads_matches_feed_and_search_with_prisma(site: PromiseSite, project: Path) -> None:
    assert "is valid" in run(project, "prisma", "validate", "--schema", "prisma/sitejobs.prisma")
    run(project, "prisma", "generate", "--schema", "prisma/sitejobs.prisma")
    run(project, "tsc", "-p", ".")
    place = conninfo_to_dict(site.connection.info.dsn)
    url = f"postgresql://{place['user']}@localhost:5432/{place['dbname']}?host={place['host']}"
    (word,) = site.connection.execute(
        """SELECT split_part("displayName", ' ', 1) FROM "ProfileSearchIndex" JOIN "SearchableUser" USING ("userId")
        WHERE "isSearchable" ORDER BY "userId" LIMIT 1"""
    ).fetchone() or ("",)
    page = json.loads(run(project, "node", "-e", READ_A_PAGE, str(VIEWER), word, DATABASE_URL=url))
    matches = site.connection.execute(
        'SELECT "candidateUserId"::text FROM "MatchScore" WHERE "userId" = %s ORDER BY "rank" LIMIT 20', [VIEWER]
    ).fetchall()
    assert [(match["candidateUserId"],) for match in page["matches"]] == matches
    assert matches
    feed = site.connection.execute(
        'SELECT "items" FROM "FeedPresorted" WHERE "userId" = %s AND "segmentIndex" = 0', [VIEWER]
    ).fetchone()
    assert feed is not None
    assert page["feed"] == feed[0]
    assert word in " ".join(person["displayName"] for person in page["found"])
