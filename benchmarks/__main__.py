"""`python -m benchmarks [match-scores | keyed-jobs] [options]`: the benchmark of these jobs, or all of them.

`python -m benchmarks media` is that of the uploads: by name only, since it needs ffmpeg and gigabytes of files.
"""

import sys
from collections.abc import Callable, Sequence

from benchmarks import keyed_jobs, match_scores, media

PROGRAMS: dict[str, Callable[[Sequence[str]], int]] = {
    "match-scores": match_scores.main,
    "keyed-jobs": keyed_jobs.main,
}


def main(arguments: Sequence[str]) -> int:
    """Run what the first argument names; returns the exit status."""
    if arguments and arguments[0] == "media":
        return media.main(arguments[1:])
    if arguments and arguments[0] in PROGRAMS:
        return PROGRAMS[arguments[0]](arguments[1:])
    return max(program(arguments) for program in PROGRAMS.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
