"""Prints the webhooks that come in, with the word whether the signature is ours: receiver.py PORT KEY.

It stands for your chat; it keeps nothing.
"""

import hashlib
import hmac
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Webhooks(BaseHTTPRequestHandler):
    """Takes what is posted."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        made = "sha256=" + hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
        ours = hmac.compare_digest(made, self.headers.get("X-Celsched-Signature", ""))
        print("signed" if ours else "NOT OURS", json.dumps(json.loads(body), ensure_ascii=False), flush=True)
        self.send_response(204 if ours else 403)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing else."""


PORT, KEY = int(sys.argv[1]), sys.argv[2]
HTTPServer(("127.0.0.1", PORT), Webhooks).serve_forever()
