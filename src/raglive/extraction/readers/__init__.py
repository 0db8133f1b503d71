"""One module per family of formats; `registry` says which reads what."""
