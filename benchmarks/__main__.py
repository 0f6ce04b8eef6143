"""`python -m benchmarks`: the benchmark of match-scores; `python -m benchmarks feed`: that of feed-presort."""

import sys

from benchmarks import feed, match_scores

if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(feed.main(given[1:]) if given[:1] == ["feed"] else match_scores.main(given))
