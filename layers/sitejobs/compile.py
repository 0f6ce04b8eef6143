"""Compile the sieve of match-scores: python compile.py LIBRARY COMPILER [OPTION ...]

Without the library numpy does the same, and match-scores takes longer.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parent / "sitejobs" / "matching" / "topk" / "sieve.c"

OPTIONS = ["-O3", "-shared", "-fPIC", "-Wall", "-fno-math-errno", "-fno-trapping-math"]
"""The last two allow vector instructions where errors of mathematics would be told one by one."""


def main(library: str, *compiler: str) -> int:
    """Returns the compiler's exit status. The library knows what it was made from, as compiled_sieve.py wants it."""
    source = int(hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:15], 16)
    made = Path(f"{library}.new")
    done = subprocess.run([*compiler, *OPTIONS, f"-DSOURCE={source}", "-o", str(made), str(SOURCE)])  # noqa: S603 - the caller's
    if done.returncode == 0:
        made.replace(library)  # not written into: somebody may be computing with it
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
