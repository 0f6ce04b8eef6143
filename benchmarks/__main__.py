"""`python -m benchmarks [match-scores | keyed-jobs] [options]`: the benchmark of these jobs, or all of them.

`feed` and `compatibility` measure feed-presort and compatibility: by name only, at the sizes that they are given.

`media` and `uploads` are those of the uploads: by name only, since the one needs ffmpeg and gigabytes of files, and the
other takes the database away for a minute.
"""

import sys
from collections.abc import Callable, Sequence

from benchmarks import compatibility, feed, keyed_jobs, match_scores, media, uploads

PROGRAMS: dict[str, Callable[[Sequence[str]], int]] = {
    "match-scores": match_scores.main,
    "keyed-jobs": keyed_jobs.main,
}
BY_NAME: dict[str, Callable[[Sequence[str]], int]] = {
    "compatibility": compatibility.main,
    "feed": feed.main,
    "media": media.main,
    "uploads": uploads.main,
}


def main(arguments: Sequence[str]) -> int:
    """Run what the first argument names; returns the exit status."""
    programs = PROGRAMS | BY_NAME
    if arguments and arguments[0] in programs:
        return programs[arguments[0]](arguments[1:])
    return max(program(arguments) for program in PROGRAMS.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
