"""The line about skipped tests, as the summary shows it."""

import pytest

from tests.skips import Lacking, counted, skip

pytest_plugins = ["pytester"]


def test_the_summary_counts_what_was_lacking(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from tests.conftest import pytest_terminal_summary")
    pytester.makepyfile("""
        import pytest
        from tests.skips import Lacking, skip, skip_unless

        @pytest.mark.parametrize("number", range(3))
        def test_of_films(number):
            skip(Lacking.BROWSER, "none of a, b is installed")

        @skip_unless(False, Lacking.ROOT)
        def test_of_users(): ...

        @skip_unless(True, Lacking.LINUX)
        def test_of_nothing(): ...
    """)
    done = pytester.runpytest("-p", "no:randomly")
    done.assert_outcomes(passed=1, skipped=4)
    done.stdout.fnmatch_lines(["skipped: 3 without Chromium or Chrome, 1 without root"])


def test_nothing_skipped_is_no_line() -> None:
    assert counted([]) == ""


def test_ci_fails_without_what_it_must_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="without ffprobe: not installed"):
        skip(Lacking.FFPROBE, "not installed")
    with pytest.raises(pytest.skip.Exception, match="without a container engine"):
        skip(Lacking.CONTAINERS)
