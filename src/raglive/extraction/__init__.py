"""Text extraction in child processes.

The entry point is `pool.ExtractorPool`; `model` defines its results and `errors` its errors. This
module imports nothing, because the child processes import it and must start quickly.
"""
