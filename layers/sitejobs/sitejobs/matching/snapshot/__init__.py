"""The population as of a run's start, in blocks with upper bounds, as one file.

`population` reads the tables, `encoding` makes arrays of them, `blocks` orders and cuts them, `snapshot` adds the
bounds. `file` writes and reads the file (`layout`: the bytes of a block), `work_files` keeps it in the work bucket,
`candidates` opens it for a search. A large population is encoded in `parts`, of which `merging` makes the same file.
`hashing` tells two snapshots' users apart.
"""
