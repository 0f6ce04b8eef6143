"""The batch work behind a dating and social site: what each job computes, free of AWS."""
