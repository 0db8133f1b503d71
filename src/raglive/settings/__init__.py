"""Every setting, read once from the environment."""

from raglive.settings.reading import (
    Settings,
    SettingsError,
    groups,
    misspelt_names,
    read_settings,
    variable_names,
)

__all__ = [
    "Settings",
    "SettingsError",
    "groups",
    "misspelt_names",
    "read_settings",
    "variable_names",
]
