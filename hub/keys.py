"""Seal, open, keyed hashes, pseudonyms: all that is done with secret keys; what is signed is in `hub/signing.py`.

Two suites: `aes` (AES-256-GCM, SHA-256) and `sm` (SM4-GCM, SM3; GB/T 39786-2021). A data key per case is
wrapped by the master key from a file of mode 0600. Every envelope binds table, row, version and column, so a
ciphertext moved elsewhere does not open. Record envelopes open only against a release ticket (P1).
"""

import base64
import json
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC

from hub import ids

NONCE = 12
_NONCE, _CIPHERTEXT = slice(1, 1 + NONCE), slice(1 + NONCE, None)
"""An envelope: the suite's mark, the nonce, the ciphertext."""
CACHED_KEYS, LISTED_CASES = 30_000, 1_000


class NotLogged(RuntimeError):
    """Somebody tried to open what no durable log entry covers."""


class SealBroken(RuntimeError):
    """A ciphertext was altered, moved, or sealed under another key."""


class Aead(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...
    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...


class Sm4Gcm:
    """SM4-GCM with the interface of `AESGCM`; the first 16 bytes of the key are used (GB/T 32907-2016)."""

    def __init__(self, key: bytes) -> None:
        self._key = key[:16]

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        encryptor = Cipher(algorithms.SM4(self._key), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated_data)
        return encryptor.update(data) + encryptor.finalize() + encryptor.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        decryptor = Cipher(algorithms.SM4(self._key), modes.GCM(nonce, data[-16:])).decryptor()
        decryptor.authenticate_additional_data(associated_data)
        return decryptor.update(data[:-16]) + decryptor.finalize()


SUITES: dict[str, tuple[bytes, type[Any]]] = {"aes": (b"\x01", AESGCM), "sm": (b"\x02", Sm4Gcm)}
SHA256, HASHES = hashes.SHA256(), {"aes": hashes.SHA256(), "sm": hashes.SM3()}
UNFIT = (InvalidTag, ValueError, IndexError)
"""What opening an altered, moved or shortened envelope raises."""


class Sealer:
    """One symmetric key in one suite: `mark` says which in the first byte of every envelope."""

    __slots__ = ("decrypt", "encrypt", "mark")

    def __init__(self, suite: str, key: bytes) -> None:
        self.mark, cipher = SUITES[suite]
        made: Aead = cipher(key)
        self.encrypt, self.decrypt = made.encrypt, made.decrypt

    def seal(self, data: bytes, bound_to: bytes) -> bytes:
        nonce = os.urandom(NONCE)
        return self.mark + nonce + self.encrypt(nonce, data, bound_to)

    def open(self, sealed: bytes, bound_to: bytes) -> bytes:
        """Raises `SealBroken` if the envelope was altered, moved or cut short, or sealed under another key."""
        if sealed[:1] != self.mark:
            raise SealBroken
        try:
            return self.decrypt(sealed[_NONCE], sealed[_CIPHERTEXT], bound_to)
        except UNFIT:
            raise SealBroken from None


class CaseKey:
    """The two keys of one case: `data` seals its records, `log` what entries about it alone name. Ciphers are made
    when used, and kept only for the cases read last: one takes 4 kB, the secret of a case a twentieth."""

    __slots__ = ("_secret", "_suite")

    def __init__(self, suite: str, secret: bytes) -> None:
        self._suite, self._secret = suite, secret

    @property
    def data(self) -> Sealer:
        return Sealer(self._suite, self._secret[:32])

    @property
    def log(self) -> Sealer:
        return Sealer(self._suite, self._secret[32:])

    @lru_cache(maxsize=LISTED_CASES)  # noqa: B019 - that it keeps the keys of the last cases is meant
    def opener(self) -> tuple[Callable[[bytes, bytes, bytes], bytes], int]:
        """What decrypts records, and the mark of what it can: all that reading needs of `data`."""
        mark, cipher = SUITES[self._suite]
        return cipher(self._secret[:32]).decrypt, mark[0]


class Ticket:
    """Release ticket: the entry at `chain` is durable and names exactly these rows and columns.

    Minted by the committer after the flush, nowhere else; each row is taken from it once.
    """

    __slots__ = ("_rows", "chain")

    def __init__(self, chain: tuple[UUID, int], rows: dict[tuple[UUID, int], frozenset[str]]) -> None:
        self.chain, self._rows = chain, rows

    def take(self, row: tuple[UUID, int]) -> frozenset[str]:
        try:
            return self._rows.pop(row)
        except KeyError:
            raise NotLogged from None


def bind(table: str, row: UUID, column: str, version: int) -> bytes:
    """Associated data: an envelope opens only where, and as the version, it was sealed."""
    return b"%b|%b|%b|%d" % (table.encode(), row.bytes, column.encode(), version)


@lru_cache(maxsize=4096)
def ending(column: str, version: int) -> bytes:
    """The end of `bind`, the same for every row."""
    return b"%b|%d" % (column.encode(), version)


def seal_row(key: CaseKey, record: tuple[UUID, int], columns: Mapping[str, bytes]) -> dict[str, bytes]:
    """Seal columns of a record version; their nonces come from one draw."""
    sealer, prefix, sealed = key.data, b"record|%b|" % record[0].bytes, {}
    encrypt, mark, drawn = sealer.encrypt, sealer.mark, os.urandom(NONCE * len(columns))
    for n, (name, data) in enumerate(columns.items()):
        nonce = drawn[NONCE * n : NONCE * (n + 1)]
        sealed[name] = mark + nonce + encrypt(nonce, data, prefix + ending(name, record[1]))
    return sealed


def open_row(
    ticket: Ticket,
    key: CaseKey,
    record: tuple[UUID, int],
    row: Mapping[str, bytes | None],
    columns: Iterable[tuple[str, bytes]],
) -> list[bytes]:
    """Open what is filled of some columns of a record version, each given with the end of its binding (`ending`).

    Raises `NotLogged` unless the ticket covers the row and every column.
    """
    granted, prefix, opened = ticket.take(record), b"record|%b|" % record[0].bytes, []
    decrypt, mark = key.opener()
    try:
        for name, end in columns:
            sealed = row[name]
            if sealed is not None:
                if name not in granted:
                    raise NotLogged
                if sealed[0] != mark:
                    raise SealBroken
                opened.append(decrypt(sealed[_NONCE], sealed[_CIPHERTEXT], prefix + end))
    except UNFIT:
        raise SealBroken from None
    return opened


def file_opener(ticket: Ticket, key: CaseKey, file: UUID) -> Callable[[str, bytes, int], bytes]:
    """Opens parts of one attachment (`head`, or `chunk` by number), against a ticket that names them."""
    granted = ticket.take((file, 0))

    def opened(name: str, sealed: bytes, n: int = 0) -> bytes:
        if name not in granted:
            raise NotLogged
        return key.data.open(sealed, bind("attachment", file, name, n))

    return opened


class Vault:
    """The keys of a deployment, held in memory for the life of the process."""

    def __init__(self, raw: dict[str, Any], suite: str = "aes", source: Path | None = None) -> None:
        self.suite, self._source = suite, source
        self._masters = sealers(raw, suite)
        self.key_id: str = raw["masters"][0]["id"]
        self._lookup = HMAC(base64.b64decode(raw["lookup"]), HASHES[suite])
        self._pseudonym = HMAC(base64.b64decode(raw["pseudonym"]), SHA256)
        self._log, self._logs = base64.b64decode(raw["log"]), dict[int, Sealer]()
        self.whole_log = Sealer(suite, self._log)
        self.misc = Sealer(suite, base64.b64decode(raw["misc"]))
        self._tag = HMAC(base64.b64decode(raw["misc"]), SHA256)
        self.signing_key: str = raw["signing"]
        self._cache: OrderedDict[UUID, CaseKey] = OrderedDict()

    def new_case_key(self, case_id: UUID) -> tuple[CaseKey, bytes]:
        """A fresh data key and its wrapped form."""
        secret = os.urandom(64)
        return self._remember(case_id, secret), self._masters[self.key_id].seal(secret, b"case|" + case_id.bytes)

    def case_key(self, row: Mapping[str, Any]) -> CaseKey:
        """Unwrap a data key (`case_id`, `key_wrapped`, `key_id`), once per process while it stays in the cache."""
        case_id: UUID = row["case_id"]
        key = self._cache.get(case_id)
        if key is None:
            key = self._remember(case_id, self._unwrap(case_id, row["key_wrapped"], row["key_id"]))
        return key

    def log(self, at: datetime) -> Sealer:
        """What seals entries of that time: one key bears 2^32 envelopes with random nonces (NIST SP 800-38D, 8.3), so
        it serves thirty days. Entries from before details stood apart have the `whole_log`'s."""
        period = at.toordinal() // 30
        if period not in self._logs:
            self._logs[period] = Sealer(self.suite, _mac(self._log, HASHES[self.suite], b"log|%d" % period))
        return self._logs[period]

    def _unwrap(self, case_id: UUID, wrapped: bytes, key_id: str) -> bytes:
        return self._master(key_id).open(wrapped, b"case|" + case_id.bytes)

    def _remember(self, case_id: UUID, secret: bytes) -> CaseKey:
        key = self._cache[case_id] = CaseKey(self.suite, secret)
        if len(self._cache) > CACHED_KEYS:
            self._cache.popitem(last=False)
        return key

    def _master(self, key_id: str) -> Sealer:
        """A master key; one that a rotation added since this process began is read from the file."""
        if key_id not in self._masters and self._source is not None:
            self._masters = sealers(json.loads(self._source.read_text()), self.suite)
        try:
            return self._masters[key_id]
        except KeyError:
            raise SealBroken from None

    def holds(self, key_id: str) -> bool:
        """Is this master key in the file?"""
        try:
            return bool(self._master(key_id))
        except SealBroken:
            return False

    def rewrap(self, case_id: UUID, wrapped: bytes, key_id: str) -> tuple[bytes, str]:
        """The same data key under the newest master key: rotation touches nothing else."""
        secret = self._unwrap(case_id, wrapped, key_id)
        return self._masters[self.key_id].seal(secret, b"case|" + case_id.bytes), self.key_id

    def lookup(self, kind: str, *values: str) -> bytes:
        """Keyed hash (16 bytes) by which an identifier is found again without being stored."""
        return _under(self._lookup, "\x1f".join((kind, *values)).encode())

    def id_for(self, kind: str, *values: str) -> UUID:
        """The id of what its sender calls by a key of its own: sent again it has the same, random to anyone else."""
        return ids.random_form(self.lookup(kind, *values))

    def pseudonym(self, kind: str, value: bytes) -> UUID:
        """What the access log calls a case or a person."""
        return ids.of_bytes(_under(self._pseudonym, kind.encode() + b"|" + value))

    def tag(self, message: bytes) -> str:
        """A short keyed hash for ETags: equal for equal visible content, meaningless to anyone else."""
        return _under(self._tag, message).hex()


def _under(keyed: HMAC, message: bytes) -> bytes:
    """16 bytes of a keyed hash. The key is taken in once: half the work, and a submission has ten of these."""
    begun = keyed.copy()
    begun.update(message)
    return begun.finalize()[:16]


def commitment(opening: bytes, body: bytes) -> bytes:
    """HMAC-SHA-256(random 32 bytes, canonical body): binds a log leaf to its sealed body."""
    return _mac(opening, SHA256, body)


def _mac(key: bytes, algorithm: hashes.HashAlgorithm, message: bytes) -> bytes:
    mac = HMAC(key, algorithm)
    mac.update(message)
    return mac.finalize()


def sealers(raw: dict[str, Any], suite: str) -> dict[str, Sealer]:
    return {m["id"]: Sealer(suite, base64.b64decode(m["key"])) for m in raw["masters"]}
