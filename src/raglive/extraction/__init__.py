"""Text out of files, in child processes.

`pool.ExtractorPool` is the way in; `errors` says how it refuses, `model` what it yields. Nothing is
imported here: the children import this package too, and must start quickly and stay small.
"""
