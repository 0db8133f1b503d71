"""Subscriptions to pipelines: rooms, snapshots, replay, live events, and back-pressure."""
