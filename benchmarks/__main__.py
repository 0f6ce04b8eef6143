"""`python -m benchmarks`: the benchmark of match-scores; `python -m benchmarks media`: that of the uploads."""

import sys

if __name__ == "__main__":
    if sys.argv[1:2] == ["media"]:
        from benchmarks.media import main as media

        sys.exit(media(sys.argv[2:]))
    from benchmarks.match_scores import main

    sys.exit(main())
