"""AWS on this machine: state machines and buckets by moto, functions in worker processes, queues.

`machine` is the entry; `workers` runs functions, `moto_patches` changes moto while a machine runs.
"""
