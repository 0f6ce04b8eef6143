"""`sitejobs studio`: a local page over what the jobs stored. It reads only."""
