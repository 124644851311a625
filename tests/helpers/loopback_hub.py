"""A hub of one model on the loopback interface: the requests that huggingface_hub's client makes for files."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Files to serve, faults to make, and the requests for parts of files."""

    def __init__(self, repository: str, files: dict[str, bytes]) -> None:
        self.repository, self.files = repository, files
        self.cut_once: dict[str, int] = {}  # file -> bytes after which the connection breaks, once
        self.corrupt: set[str] = set()  # files whose content does not have the declared sha256
        self.ranges: list[tuple[str, str]] = []  # (file, Range) of every request for a part


def handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def refuse(self, code: str) -> None:
            self.send_response(404)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_HEAD(self) -> None:
            self.serve(with_body=False)

        def do_GET(self) -> None:
            self.serve(with_body=True)

        def serve(self, with_body: bool) -> None:
            repository, _, rest = self.path.lstrip("/").partition("/resolve/")
            revision, _, name = rest.partition("/")
            if repository != hub.repository:
                return self.refuse("RepoNotFound")
            if revision not in ("main", "v1", COMMIT):
                return self.refuse("RevisionNotFound")
            if name not in hub.files:
                return self.refuse("EntryNotFound")
            content = hub.files[name]
            declared = hashlib.sha256(content).hexdigest()
            if name in hub.corrupt:
                content = content[:-1] + bytes([content[-1] ^ 1])
            first = 0
            if asked := self.headers.get("Range"):
                hub.ranges.append((name, asked))
                first = int(asked.removeprefix("bytes=").split("-")[0])
            body = content[first:]
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
            self.send_header("ETag", f'"{declared}"')
            self.send_header("X-Linked-Etag", f'"{declared}"')
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body:
                cut = hub.cut_once.pop(name, None)
                self.wfile.write(body if cut is None else body[:cut])
                if cut is not None:
                    self.wfile.flush()
                    self.connection.close()
                    self.close_connection = True

    return Handler


@contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """The hub's address while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(hub))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
