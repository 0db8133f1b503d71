"""The checks of `raglive doctor`, by what they check."""
