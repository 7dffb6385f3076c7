"""An OpenID provider on loopback, which can be told to misbehave."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

Claims = dict[str, Any]


class IdentityProvider:
    """Signs everybody in as `user`, at once.

    Attributes
    ----------
    asks
        Shows a page of its own first, with a link back, as one that asks for a password does.
    user
        Claims of the next ID token, over the usual ones.
    forge
        Makes the ID token of its claims instead of signing it properly.
    down
        Answers 503 to everything.
    asked
        Paths that were asked for, in order.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.asks = False
        self.id, self.secret = "desk", "s3cret of the desk"
        self.user: Claims = {}
        self.forge: Callable[[Claims], str] | None = None
        self.down = False
        self.asked: list[str] = []
        self.key = self.new_key()
        self._codes: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://{host}:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def new_key(self) -> RSAKey:
        """Sign with another key from now on."""
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"})
        return self.key

    def signed(self, claims: Claims, key: RSAKey | OctKey | None = None, **header: str) -> str:
        """An ID token with these claims."""
        key = key or self.key
        kind = {"alg": "RS256", "kid": str(self.key.kid), **header}
        return jwt.encode(kind, claims, key, algorithms=["RS256", "HS256", "none"])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, form: dict[str, str], auth: str) -> tuple[int, Claims]:
        wanted = base64.b64encode(f"{self.id}:{urlencode({'': self.secret})[1:]}".encode()).decode()
        if auth != f"Basic {wanted}":
            return 401, {"error": "invalid_client"}
        asked = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            asked is None
            or asked["code_challenge"] != proof
            or asked["redirect_uri"] != form.get("redirect_uri")
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": self.id,
            "sub": "u-1",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "preferred_username": "eve",
            **self.user,
        }
        made = self.forge(claims) if self.forge else self.signed(claims)
        return 200, {"id_token": made, "access_token": "x", "token_type": "Bearer"}

    def document(self) -> Claims:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                provider.asked.append(path)
                if provider.down:
                    self._answer(503, {"error": "down"})
                elif path == "/.well-known/openid-configuration":
                    self._answer(200, provider.document())
                elif path == "/keys":
                    self._answer(200, {"keys": [provider.key.as_dict(private=False)]})
                elif path == "/authorize":
                    asked = {name: values[0] for name, values in parse_qs(query).items()}
                    code = secrets.token_urlsafe(8)
                    provider._codes[code] = asked
                    query = urlencode({"code": code, "state": asked["state"]})
                    back = f"{asked['redirect_uri']}?{query}"
                    self.send_response(200 if provider.asks else 303)
                    self.send_header("location", back)
                    self.send_header("Content-Type", "text/html")
                    self.end_headers()
                    self.wfile.write(f'<a id="back" href="{html.escape(back)}">back</a>'.encode())
                else:
                    self._answer(404, {})

            def do_POST(self) -> None:
                provider.asked.append(urlsplit(self.path).path)
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                self._answer(*provider.token(form, self.headers.get("Authorization", "")))

            def _answer(self, status: int, said: Claims) -> None:
                body = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextmanager
def identity_provider(host: str = "127.0.0.1") -> Iterator[IdentityProvider]:
    """Run a provider while the block lasts; ``host`` is another name of loopback that it goes by."""
    provider = IdentityProvider(host)
    try:
        yield provider
    finally:
        provider.close()
