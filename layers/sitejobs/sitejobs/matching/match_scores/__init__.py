"""The job match-scores (docs/match-scores.md).

`job` plans a run and `page` computes a page of it, with what `page_run` opens. In an incremental run `changes` finds
what differs from the last snapshot, and `incremental` merges it into stored rows. `visibility` reads what may have
changed since the snapshot; `lists` encodes and `store` writes the result; `old_rows`
are matches of before there were lists.
"""
