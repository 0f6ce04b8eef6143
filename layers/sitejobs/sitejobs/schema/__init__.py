"""What the bundle needs of a database.

`site` and `bundle` are the contract as data, in the terms of `model`. `check` compares a database (`inspect`) with it,
`mend` writes the SQL that repairs it, `roles` the grants of a role that runs the jobs.
"""
