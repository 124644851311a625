"""The smoke run with its results in a bucket: an S3 server on loopback, the local copies thrown away on the way."""

import logging
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster.submitted import PLUGINS, note
from tests.hard import common
from tests.helpers.running import environment

BUCKET, PREFIX = "monosem", "s3://monosem/smoke"


def _call(folder: Path, environ: dict[str, str], endpoint: str) -> subprocess.CompletedProcess:
    words = ["--cores", "2", "--default-storage-provider", "s3", "--default-storage-prefix", PREFIX]
    words += ["--storage-s3-endpoint-url", endpoint, "--storage-s3-region", "us-east-1"]
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *words, "--configfile", "tests/smoke.yaml"],
        cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def _download(endpoint: str, to: Path) -> None:
    """Copy what the bucket has below its prefix."""
    import boto3

    bucket = boto3.resource("s3", endpoint_url=endpoint, region_name="us-east-1").Bucket(BUCKET)
    for item in bucket.objects.filter(Prefix="smoke/"):
        path = to / item.key.removeprefix("smoke/")
        path.parent.mkdir(parents=True, exist_ok=True)
        bucket.download_file(item.key, str(path))


def s3_run(work: Path) -> common.Tally:
    """Three checks: it runs, without its local copies there is nothing to do, the numbers are those of a local run."""
    tally = common.Tally("S3")
    try:
        from moto.server import ThreadedMotoServer
    except ImportError:
        tally.skipped = "moto is not installed: make cluster-test does it"
        return tally
    import boto3

    finished, folder = common.finished_run(work), work / "bucket"
    common.fresh_copy(finished, folder)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line per request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=BUCKET)
        environ = environment() | {"PYTHONPATH": str(PLUGINS.resolve())}
        done = _call(folder, environ, endpoint)
        (work / "bucket.log").write_text(done.stdout)
        note(tally, done.returncode == 0, f"ended with {done.returncode}; see {work / 'bucket.log'}")
        shutil.rmtree(folder / ".snakemake/storage", ignore_errors=True)
        shutil.rmtree(folder / "results", ignore_errors=True)
        again = _call(folder, environ, endpoint)
        note(tally, "Nothing to be done" in again.stdout, f"the second call: {again.stdout[-1000:]}")
        _download(endpoint, folder)
    finally:
        server.stop()
    different = common.difference(common.numbers(finished), common.numbers(folder))
    note(tally, not different, different)
    return tally
