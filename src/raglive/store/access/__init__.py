"""Revoked tokens, and the audit log of what operators did."""
