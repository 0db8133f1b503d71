"""Everything durable, in Postgres.

`log` holds the events, `registry` the pipelines and files, `index` the chunks and their vectors,
`access` revoked tokens and the audit log, `accounting` what embedding costs. Every module has its
statements in the `.sql` file of the same name next to it.
"""
