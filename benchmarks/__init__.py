"""The hub measured against the bare reference, in the same run. See README.md."""
