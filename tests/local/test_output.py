"""What commands print where there is no terminal: 80 columns, nothing that a terminal obeys, JSON alone on stdout."""

import io
import json
import re
from typing import Any

import pytest
from psycopg import Connection
from rich.cells import cell_len
from rich.console import Console

from sitejobs.postgres.connection import connect
from sitejobs_local.commands.common import notes
from sitejobs_local.tables import Row, plain, print_plain, print_rows
from tests.local.command import environment, sitejobs


def first(connection: Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def without_terminal(**variables: str) -> dict[str, str]:
    env = environment(**variables)
    del env["COLUMNS"]
    return env


def printed(width: int) -> Console:
    return Console(file=io.StringIO(), width=width)


def text_of(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


ROWS = [
    Row(("7", "feed-presort-cleanup", "12,345,678"), "because [of] this; " * 5),
    Row(("123456", "a" * 20, "1"), ""),
]


def test_notes_stand_below_their_row_and_beside_it_where_there_is_room() -> None:
    narrow, wide = printed(50), printed(200)
    for console in (narrow, wide):
        print_rows(console, ("run", "job", "rows"), ROWS, numbers=("run", "rows"))
    lines = text_of(narrow)
    assert lines[1] == "     7  feed-presort-cleanup  12,345,678"
    assert lines[2] == "    because [of] this; because [of] this; because"
    assert lines[-1] == "123456  aaaaaaaaaaaaaaaaaaaa           1"
    assert text_of(wide)[0].endswith("  why")
    assert text_of(wide)[1].endswith("12,345,678  " + ROWS[0].notes.rstrip())
    assert len(text_of(wide)) == 3


def test_a_long_last_cell_is_folded_and_never_cut() -> None:
    console = printed(40)
    print_rows(console, ("media", "file"), [Row(("1", "/tmp/" + "x" * 60))])
    assert "".join(line[5:].strip() for line in text_of(console)[1:]) == "/tmp/" + "x" * 60
    assert max(map(len, text_of(console))) <= 40


def test_a_wide_table_gets_narrow_gaps_and_then_loses_what_can_be_spared() -> None:
    table = plain("", "job", "pages", "calls", "rows")
    table.add_row("a" * 20, "1,000", "1,000", "1,000")
    for width, lost in ((41, False), (38, False), (33, True)):
        console = printed(width)
        print_plain(console, table, spare="calls")
        assert ("calls" not in text_of(console)[0]) == lost
        assert len(text_of(console)) == 2


@pytest.mark.parametrize("users", [1_000_000, 100_000_000])
def test_costs_are_told_in_80_columns_with_each_job_in_a_line(users: int) -> None:
    done = sitejobs("cost", f"--users={users}", env=without_terminal())
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert max(map(len, lines)) <= 80
    assert len([line for line in lines if re.match(r"profile-search-index +[\d,]+ ", line)]) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        *(("runs",), ("runs", "1"), ("check",), ("search", "jazz"), ("matches", "--summary")),
        *((name, "--userId={}") for name in ("matches", "feed", "explain")),
    ],
)
def test_tables_are_80_columns_wide_and_command_no_terminal(computed_site: str, arguments: tuple[str, ...]) -> None:
    with connect(computed_site) as connection:
        user_id = first(connection, 'SELECT "userId" FROM "FeedPresortedUser" WHERE "segments" > 0 LIMIT 1')
    given = [argument.format(user_id) for argument in arguments]
    done = sitejobs(*given, env=without_terminal(DATABASE_URL=computed_site, FORCE_COLOR=""))
    assert done.returncode in (0, 2), done.stderr
    assert max((cell_len(line.rstrip()) for line in done.stdout.splitlines()), default=0) <= 80
    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stdout + done.stderr


KEYS: dict[tuple[str, ...], set[str]] = {
    ("matches", "--userId={}", "--limit=2"): {"userId", "computedAt", "skipped", "matches"},
    ("matches", "--summary"): {"distribution"},
    ("feed", "--userId={}"): {"userId", "computedAt", "expiresAt", "cards"},
    ("search", "a"): {"found", "next"},
    ("runs",): {"runs", "next"},
    ("cost", "--users=1000"): {
        *("users", "prices", "rates", "runs", "month", "watching", "notMeasured", "tooSmall"),
    },
}


@pytest.mark.parametrize("arguments", KEYS)
def test_as_json_stdout_is_one_document_with_its_keys(computed_site: str, arguments: tuple[str, ...]) -> None:
    with connect(computed_site) as connection:
        user_id = first(connection, 'SELECT "userId" FROM "FeedPresortedUser" WHERE "segments" > 0 LIMIT 1')
    given = [argument.format(user_id) for argument in arguments]
    done = sitejobs(*given, "--json", env=without_terminal(DATABASE_URL=computed_site))
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == KEYS[arguments]


def test_a_match_as_json_is_what_is_stored_and_a_pair_says_why_not(computed_site: str) -> None:
    env = without_terminal(DATABASE_URL=computed_site)
    with connect(computed_site) as connection:
        stored = connection.execute(
            """SELECT "userId", "candidateUserId", "score", "tier" FROM "MatchScore" WHERE "rank" = 1 LIMIT 1"""
        ).fetchone()
    assert stored is not None
    user_id, candidate, score, tier = stored

    def asked(*arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            sitejobs("matches", f"--userId={user_id}", *arguments, "--json", env=env).stdout
        )
        return found

    best = asked("--limit=1")["matches"][0]
    assert (best["userId"], best["rank"], best["tier"]) == (candidate, 1, tier)
    assert best["score"] == pytest.approx(score)
    assert set(best["parts"]) == {"traits", "interests", "ratingQuality", "ratingFit", "newness", "proximity"}
    pair = asked(f"--candidate={candidate}")
    assert (pair["obstacles"], pair["rank"], pair["tier"]) == ([], 1, tier)
    assert set(pair["parts"]) == set(best["parts"])


def test_a_log_gets_no_progress_bars_even_if_colours_are_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not notes().is_interactive
