"""`python -m benchmarks [merge | match-scores | keyed-jobs | compatibility | feed [options]]`: one, or these five.

Others run only by name: `million` takes an hour or two and 40 GB of disk, `media` needs ffmpeg and gigabytes of files,
`uploads` stops its database for a minute,
`hourly`, `rates` and `training` measure no wall time, `beside` compares with a commit that it must be told, and
`algorithms` v1 with v2.
"""

import sys
from collections.abc import Callable, Sequence

from benchmarks import (
    algorithms,
    beside,
    compatibility,
    feed,
    hourly,
    keyed_jobs,
    match_scores,
    media,
    merging,
    million,
    rates,
    training,
    uploads,
)

PROGRAMS: dict[str, Callable[[Sequence[str]], int]] = {
    "merge": merging.main,
    "match-scores": match_scores.main,
    "keyed-jobs": keyed_jobs.main,
    "compatibility": compatibility.main,
    "feed": feed.main,
}
BY_NAME: dict[str, Callable[[Sequence[str]], int]] = {
    "million": million.main,
    "hourly": hourly.main,
    "rates": rates.main,
    "training": training.main,
    "media": media.main,
    "uploads": uploads.main,
    "beside": beside.main,
    "algorithms": algorithms.main,
}


def main(arguments: Sequence[str]) -> int:
    """Run what the first argument names, without arguments all of `PROGRAMS`; returns the exit status."""
    if not arguments:
        return max(program([]) for program in PROGRAMS.values())
    programs = PROGRAMS | BY_NAME
    if arguments[0] not in programs:
        print(f"name a benchmark first: {', '.join(programs)}; not {arguments[0]!r}", file=sys.stderr)
        return 2
    return programs[arguments[0]](arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
