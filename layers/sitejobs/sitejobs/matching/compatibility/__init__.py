"""The job compatibility: a viewer and each user it has to do with (docs/compatibility.md).

`job` plans a run. Its first pages store each user's `inputs`; the others read viewers' `targets`, load the inputs as
arrays (`people`), compare all pairs (`comparing`, by the formula in `scoring`) and write what differs (`store`).
"""
