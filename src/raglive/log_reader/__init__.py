"""The component that follows the log: hints, polling, catching up, detection of gaps, recovery."""
