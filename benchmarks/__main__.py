"""`python -m benchmarks`: the benchmark of match-scores."""

import sys

from benchmarks.match_scores import main

if __name__ == "__main__":
    sys.exit(main())
