"""A run that would remove much of what is stored stops before it removes anything, unless it is told to go on."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection, sql

from sitejobs.aliases import JsonObject
from sitejobs.catalog import JOBS
from sitejobs.errors import SuspiciousLoss
from sitejobs.jobs.losses import LEAST_ROWS
from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from sitejobs_local.population import generate, load
from tests.databases import site_database, temporary_database, wait_for_closed_sessions
from tests.jobs import JOBS_IN_ORDER
from tests.keyed_runs import Runner
from tests.local.command import environment, sitejobs
from tests.promises.described import described

AT = datetime(2026, 1, 15, 3, tzinfo=UTC)
USERS = 600
NEVER_REMOVE = {"media-metadata", "media-metadata-all", "media-metadata-batch", "match-model", "match-quality"}
OPTIONS: dict[str, JsonObject] = {
    "content-features": {"maxLookbackDays": 0},
    "trending": {"windowHours": 8760, "expiryHours": 8760, "minEngagements": 1},
    "match-scores": {"topK": 20, "pauseMs": 0},
    "profile-search-index": {"pauseMs": 0},
}
IN_ORDER = tuple(job for job in JOBS_IN_ORDER if job.entry.name not in NEVER_REMOVE)
BY_NAME = {job.entry.name: job for job in IN_ORDER}
STORED = tuple(dict.fromkeys(table for name in BY_NAME for table in described(name).tables))

SOURCE = {"content-features": "Post", "trending": "Post"}
"""The table whose rows, by their ids, a job's rows go with; "User" of the others."""

EVERY_THIRD = '"{}" % 10 >= 3'
FEEDS = ("feed-presort", "feed-presort-cleanup")
VANISHED = [
    *((job, "User", EVERY_THIRD.format("id")) for job in BY_NAME if job != "content-features"),
    *((job, "User", "false") for job in BY_NAME if job != "content-features"),
    *(
        (job, "Profile", EVERY_THIRD.format("userId"))
        for job in BY_NAME
        if job in ("profile-search-index", "searchable-user", "match-scores", "trending", *FEEDS)
    ),
    ("build-user-traits", "QuizResult", EVERY_THIRD.format("userId")),
    ("build-user-traits", "QuizOption", "false"),
    ("build-user-traits", "QuizQuestion", "false"),
    ("user-interest-sets", "UserInterest", '("userId" + "interestId") % 10 >= 3'),
    ("content-features", "Post", EVERY_THIRD.format("id")),
    ("trending", "Post", EVERY_THIRD.format("id")),
    ("trending", "LikedPost", "false"),
    ("affinity", "LikedPost", EVERY_THIRD.format("userId")),
    ("affinity", "Post", "false"),
    ("feed-presort-cleanup", "Post", "false"),
]


@dataclass
class Site:
    """A site of which everything has been computed."""

    url: str
    connection: Connection
    folder: Path

    def hide(self, table: str, visible: str) -> str:
        """A search path on which only such rows of the table are seen."""
        self.connection.execute("DROP SCHEMA IF EXISTS hidden CASCADE; CREATE SCHEMA hidden")
        self.connection.execute(
            sql.SQL("CREATE VIEW hidden.{0} AS SELECT * FROM public.{0} WHERE {1}").format(
                sql.Identifier(table),
                sql.SQL(visible),
            )
        )
        return "hidden,public"

    def run(self, name: str, search_path: str | None = None, environment: Any = None, **options: Any) -> None:
        runner = Runner(BY_NAME[name], self.url, environment, work=self.folder, search_path=search_path)
        try:
            runner.run({**OPTIONS.get(name, {}), **options}, at=AT)
        finally:
            runner.close()

    def stored(self) -> dict[str, int]:
        counts = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, count(*) FROM {}").format(sql.Literal(table), sql.Identifier(table)) for table in STORED
        )
        return dict(self.connection.execute(counts).fetchall())


@pytest.fixture(scope="module")
def computed(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Any]]:
    """Copies of a site of which everything has been computed."""
    folder = tmp_path_factory.mktemp("work")
    with site_database(postgres_server) as url:
        with connect(url) as connection:
            load(connection, generate(USERS, 5, AT))
            # Its pages want to see that run 1 is at work.
            connection.execute(
                """INSERT INTO "JobRun" ("job", "scope", "execution", "trigger", "options")
                   VALUES ('tests', 'all', 'tests', 'cli', '{}')"""
            )
            name = connection.info.dbname
            for job in IN_ORDER:
                Site(url, connection, folder).run(job.entry.name)
        with connect(postgres_server.database_url("postgres")) as administrator:
            wait_for_closed_sessions(administrator, name)

        @contextmanager
        def copied() -> Iterator[Site]:
            with temporary_database(postgres_server, template=name) as copy, connect(copy) as connection:
                yield Site(copy, connection, folder)

        yield copied


@pytest.fixture(scope="module")
def site(computed: Callable[[], Any]) -> Iterator[Site]:
    with computed() as made:
        yield made


@pytest.fixture
def copy(computed: Callable[[], Any]) -> Iterator[Site]:
    """A site of the test's own, which it may change."""
    with computed() as made:
        yield made


def test_every_job_that_removes_rows_is_looked_at() -> None:
    assert set(BY_NAME) | NEVER_REMOVE == set(JOBS)
    assert {job for job, *_ in VANISHED} == set(BY_NAME)


def test_enough_is_stored_for_a_loss_to_be_one(site: Site) -> None:
    few = {table: count for table, count in site.stored().items() if count * 0.3 < LEAST_ROWS * 1.2}
    assert few == {}


@pytest.mark.parametrize(("name", "table", "visible"), VANISHED)
def test_a_run_that_would_remove_much_stops_before_it_removes_anything(
    site: Site, name: str, table: str, visible: str
) -> None:
    path, before = site.hide(table, visible), site.stored()
    with pytest.raises(SuspiciousLoss, match=rf"^{name} would remove [\d,]+ of the [\d,]+ rows of \w+.*allowLoss"):
        site.run(name, path)
    with pytest.raises(SuspiciousLoss):
        site.run(name, path, incremental=True)
    assert site.stored() == before


@pytest.mark.parametrize("name", BY_NAME)
def test_a_run_that_is_told_to_go_on_removes_what_has_no_source(copy: Site, name: str) -> None:
    path, before = copy.hide(SOURCE.get(name, "User"), EVERY_THIRD.format("id")), copy.stored()
    copy.run(name, path, allowLoss=True)
    assert sum(copy.stored().values()) < sum(before.values())
    copy.run(name, path)  # nothing is left to be suspicious of


@pytest.mark.parametrize("name", BY_NAME)
def test_a_small_share_may_go(copy: Site, name: str) -> None:
    # Some people are in many feeds.
    few, many = (1, 5) if name.startswith("feed-presort") else (3, 6)
    path = copy.hide(SOURCE.get(name, "User"), f'"id" % 20 >= {few}')
    copy.run(name, path)
    strict = copy.hide(SOURCE.get(name, "User"), f'"id" % 20 >= {many}')
    copy.run(name, strict, {"MAX_LOSS_PERCENT": "40"})


def test_a_few_rows_may_go_however_large_their_share(copy: Site) -> None:
    copy.connection.execute(
        """DELETE FROM "ProfileSearchIndex" WHERE "userId" NOT IN (
               SELECT "userId" FROM "ProfileSearchIndex" ORDER BY 1 LIMIT %s)""",
        [LEAST_ROWS],
    )
    path = copy.hide("Profile", "false")
    with pytest.raises(SuspiciousLoss):
        copy.run("profile-search-index", path)
    copy.connection.execute(
        'DELETE FROM "ProfileSearchIndex" WHERE "userId" = (SELECT min("userId") FROM "ProfileSearchIndex")'
    )
    copy.run("profile-search-index", path)
    assert copy.stored()["ProfileSearchIndex"] == 0


def test_what_expires_by_age_is_no_loss(copy: Site) -> None:
    copy.connection.execute("""UPDATE "FeedSegment" SET "expiresAt" = '2020-01-01'""")
    copy.connection.execute("""UPDATE "TrendingScore" SET "expiresAt" = '2020-01-01'""")
    path = copy.hide("Post", "false")
    copy.run("trending", path)
    copy.run("feed-presort-cleanup", path)
    assert copy.stored()["TrendingScore"] == copy.stored()["FeedPresorted"] == 0


@pytest.mark.parametrize("name", [name for name, job in BY_NAME.items() if "user_id" in job.options.model_fields])
def test_a_run_for_one_user_is_not_stopped(copy: Site, name: str) -> None:
    [(user,)] = copy.connection.execute('SELECT min("id") FROM "User"').fetchall()
    copy.run(name, copy.hide("User", "false"), userId=str(user))


@pytest.mark.parametrize("name", ["user-interest-sets", "match-scores"])
def test_the_state_machine_ends_and_tells_what_would_have_gone(copy: Site, name: str) -> None:
    path, before = copy.hide("User", EVERY_THIRD.format("id")), copy.stored()
    env = environment(DATABASE_URL=copy.url, DATABASE_SEARCH_PATH=path)
    options = [f"--{option}={value}" for option, value in OPTIONS.get(name, {}).items()]
    ended = sitejobs(name, *options, "--json", env=env)
    assert ended.returncode == 1
    summary = json.loads(ended.stdout)
    assert (summary["status"], summary["error"]) == ("FAILED", "SuspiciousLoss")
    assert summary["cause"].startswith(f"{name} would remove ")
    runs = copy.connection.execute('SELECT "status", "error" FROM "JobRun" WHERE "job" <> \'tests\'').fetchall()
    assert runs == [("FAILED", f"SuspiciousLoss: {summary['cause']}")]
    assert copy.stored() == before
    assert sitejobs(name, *options, "--allowLoss", "--json", env=env).returncode == 0
    assert sum(copy.stored().values()) < sum(before.values())
