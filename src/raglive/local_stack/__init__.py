"""Everything that `raglive up` starts on one machine."""
