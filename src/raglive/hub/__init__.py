"""Tail the log, conflate progress, recover by cursor, and hand every viewer the same bytes."""
