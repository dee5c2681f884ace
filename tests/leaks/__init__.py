"""Attacks on the hub by somebody who must not see: canaries, twin worlds, oracles, stolen storage."""
