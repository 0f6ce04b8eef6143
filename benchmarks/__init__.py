"""How long the jobs take, beside what the machine can do: `make bench`."""
