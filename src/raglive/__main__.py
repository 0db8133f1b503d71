"""`python -m raglive` is the command `raglive`."""

from raglive.cli import main

main()
