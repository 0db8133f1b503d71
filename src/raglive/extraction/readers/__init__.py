"""Readers, one module for each family of formats; `format_registry` maps MIME types to them."""
