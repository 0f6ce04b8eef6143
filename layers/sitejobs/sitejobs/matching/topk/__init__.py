"""Exact top-K retrieval with block-max pruning.

`search` visits blocks in the order of their upper bounds (`bounds`) and skips those below a viewer's threshold. Within
a block `screening` finds the pairs that can reach the threshold. `buffer` keeps each viewer's best keys and raises the
threshold. `segment` lays out the candidates of neighbouring blocks for matrix products,
`worths` tells what sums of parts are worth.
"""
