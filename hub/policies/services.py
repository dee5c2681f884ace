"""What a process runs on, made once at start and passed along; nothing in the hub is a global."""

from dataclasses import dataclass

from hub.audit.committer import Committer
from hub.db import Database
from hub.keys import Vault
from hub.models.directory import Directory
from hub.policies.decide import Policy
from hub.settings import Settings
from hub.together import Reads


@dataclass(slots=True)
class Services:
    """What a process runs on. A new policy is loaded by a restart."""

    settings: Settings
    database: Database
    vault: Vault
    committer: Committer
    directory: Directory
    policy: Policy
    reads: Reads
    """Of cases, as the hub's own role: what the Gate asks."""
    reviews: Reads
    """Of the access log, as its reader: what an officer asks."""
