"""The only place that wires things together: a module for each thing that runs.

A process loads only the modules of what it runs: loading them all takes longer than most commands.
"""
