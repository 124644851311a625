"""A Slurm cluster of one node that lasts as long as a `with` block: munged, slurmctld, slurmd in a temporary folder."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

HERE = Path("/etc/slurm/slurm.conf")
"""Where Slurm looks by default: the plugin takes SLURM_CONF, as all of SLURM_*, away from the jobs that it submits."""
DAEMONS = ("munged", "slurmctld", "slurmd")
CONFIGURATION = """\
ClusterName=monosem
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
MinJobAge=3600
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory_mib} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why no cluster can be started here, in words; empty if one can."""
    absent = [name for name in (*DAEMONS, "sbatch") if not shutil.which(name)]
    if absent:
        return f"{', '.join(absent)} not found: apt install slurm-wlm munge"
    if HERE.exists():
        return f"this machine has a Slurm of its own ({HERE})"
    return "" if os.geteuid() == 0 else "slurmd starts jobs as their users, which takes root"


def _free_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _start_munged(folder: Path) -> subprocess.Popen:
    """The daemon that signs messages; runs as the user munge, who must own its files."""
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    for path in (folder, key):
        shutil.chown(path, "munge", "munge")
    words = [
        f"--{name}={folder}/munge.{name.split('-')[0]}" for name in ("key-file", "pid-file", "log-file", "seed-file")
    ]
    return subprocess.Popen(
        ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *words],
        user="munge", group="munge", stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _wait(ready: list[str], until: str, seconds: float = 30.0) -> None:
    """Call a command until it prints a word. Raises: TimeoutError with what it printed last."""
    deadline = time.monotonic() + seconds
    printed = ""
    while time.monotonic() < deadline:
        done = subprocess.run(ready, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        printed = done.stdout
        if until in printed:
            return
        time.sleep(0.2)
    raise TimeoutError(f"{' '.join(ready)} did not print '{until}' within {seconds:.0f} s; it printed: {printed}")


@contextlib.contextmanager
def cluster(cores: int) -> Iterator[None]:
    """A cluster of one node with `cores` processors, for Slurm's commands as they are.

    Raises: TimeoutError if a daemon does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("state", "spool"):
            (folder / part).mkdir()
        controller_port, node_port = _free_ports(2)
        memory_mib = int(0.9 * psutil.virtual_memory().total / 2**20)
        text = CONFIGURATION.format(
            host=socket.gethostname(), folder=folder, controller_port=controller_port, node_port=node_port,
            cores=cores, memory_mib=memory_mib,
        )  # fmt: skip
        HERE.parent.mkdir(exist_ok=True)
        HERE.write_text(text)
        daemons = [_start_munged(folder)]
        try:
            _wait(["munge", "--no-input", f"--socket={folder}/munge.socket"], "MUNGE:")
            for daemon in ("slurmctld", "slurmd"):
                daemons.append(subprocess.Popen([daemon, "-D"], stderr=subprocess.DEVNULL))
            _wait(["sinfo", "--noheader", "--format=%t"], "idle")
            yield
        finally:
            subprocess.run(["scancel", f"--user={os.getuid()}"])  # before the daemons end: its jobs would outlive them
            for daemon in reversed(daemons):
                daemon.terminate()
                try:
                    daemon.wait(20)
                except subprocess.TimeoutExpired:
                    daemon.kill()
            HERE.unlink()
