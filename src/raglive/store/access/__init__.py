"""Revoked tokens, and the record of what operators did."""
