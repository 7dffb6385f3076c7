"""Single sign-on by OpenID Connect: the authorization code flow with PKCE.

OpenID Connect Core 1.0 (section 3.1), Discovery 1.0 and RFC 7636. Signatures are checked by joserfc; what a
token has to say is checked here. A provider's documents and keys are kept for an hour; a key that is not
among them is asked for once more, at most once a minute, so that keys may be changed at any time.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx2 as httpx

from monitor.errors import ForeshockError
from monitor.settings import is_safe

if TYPE_CHECKING:  # and where it is used: 10 MB, for those who sign in this way
    from joserfc.jwk import KeySet

#: Signatures by a private key only: with a shared secret or none anybody could make a token.
ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "RS384", "RS512", "EdDSA", "Ed25519")
LEEWAY_S = 60
KEPT = timedelta(hours=1)
KEYS_AGAIN = timedelta(minutes=1)
DEADLINE_S = 10.0
MAX_BYTES = 1_000_000
WELL_KNOWN = "/.well-known/openid-configuration"


class SsoError(ForeshockError):
    """Signing in did not work; the message may be shown to whoever tried."""


class ProviderDown(SsoError):
    """The provider does not answer, or not as one does."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One try to sign in, kept by the browser until the provider sends it back.

    ``onward`` is where it wanted to go.
    """

    state: str
    nonce: str
    verifier: str
    onward: str

    @classmethod
    def new(cls, onward: str) -> Flow:
        """Draw the secrets of a try."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, onward)

    def dumped(self) -> str:
        """Return it as the value of a cookie."""
        fields = [self.state, self.nonce, self.verifier, self.onward]
        return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")

    @classmethod
    def loaded(cls, value: str) -> Flow | None:
        """Return what `dumped` gave; ``None`` for anything else.

        Examples
        --------
        >>> flow = Flow.new("/alerts")
        >>> Flow.loaded(flow.dumped()) == flow, Flow.loaded("x")
        (True, None)
        """
        try:
            fields = json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
        except ValueError:
            return None
        if not isinstance(fields, list) or len(fields) != 4:
            return None
        if not all(isinstance(field, str) for field in fields):
            return None
        return cls(*fields)


@dataclass(frozen=True, slots=True)
class Client:
    """What the provider knows this service as; ``secret`` is ``None`` for a public client."""

    issuer: str
    id: str
    secret: str | None = None
    scopes: tuple[str, ...] = ("openid", "profile", "email")


class Provider:
    """An OpenID provider. Safe to use from several threads.

    Parameters
    ----------
    client
        See `Client`; the issuer without a path after it, as the provider writes it.
    http
        For tests; by default a client that follows no redirections.
    monotonic
        Seconds, for how long things are kept.
    """

    def __init__(
        self,
        client: Client,
        http: httpx.Client | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        self._http = http or httpx.Client(timeout=DEADLINE_S, follow_redirects=False)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._document: Mapping[str, Any] = {}
        self._document_at = float("-inf")
        self._keys: KeySet | None = None
        self._keys_at = float("-inf")

    def authorize_url(self, flow: Flow, redirect_uri: str) -> str:
        """Return where to send the browser.

        Raises
        ------
        ProviderDown
            The provider does not say where.
        """
        challenge = hashlib.sha256(flow.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.client.id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.client.scopes),
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        endpoint = self._endpoint("authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    def claims(self, flow: Flow, code: str, redirect_uri: str, now: datetime) -> dict[str, Any]:
        """Trade a code for an ID token, and return what it says once everything about it is right.

        Raises
        ------
        ProviderDown
            The provider does not answer.
        SsoError
            It refuses the code, or the token is not one for us, now, and for this try.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": flow.verifier,
            "client_id": self.client.id,
        }
        # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
        auth = None
        if self.client.secret is not None and self._says_basic():
            auth = httpx.BasicAuth(*(_encoded(x) for x in (self.client.id, self.client.secret)))
        elif self.client.secret is not None:
            form["client_secret"] = self.client.secret
        status, said = self._ask("POST", self._endpoint("token_endpoint"), data=form, auth=auth)
        if status != 200:
            error = said.get("error") if isinstance(said.get("error"), str) else status
            raise SsoError(f"the identity provider refused the sign-in ({str(error)[:60]})")
        token = said.get("id_token")
        if not isinstance(token, str):
            raise SsoError("the identity provider sent no ID token")
        found = self._verified(token)
        self._check(found, flow, now)
        return found

    def _check(self, claims: Mapping[str, Any], flow: Flow, now: datetime) -> None:
        """OpenID Connect Core, section 3.1.3.7."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        registry = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self.client.issuer},
            aud={"essential": True, "value": self.client.id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": flow.nonce},
        )
        try:
            registry.validate(dict(claims))
        except JoseError as error:
            raise SsoError(f"the identity provider's token is not good: {error}") from None
        others = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        party = claims.get("azp")
        if (len(others) > 1 or party is not None) and party != self.client.id:
            raise SsoError("the identity provider's token is for another party")

    def _verified(self, token: str) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError, JoseError

        for again in (False, True):
            try:
                return jwt.decode(token, self._key_set(again), algorithms=ALGORITHMS).claims
            except InvalidKeyIdError:
                if again:
                    raise SsoError(
                        "the token is signed with a key the provider does not list"
                    ) from None
            except (JoseError, ValueError) as error:
                raise SsoError(f"the identity provider's token is not good: {error}") from None
        raise AssertionError("unreachable")

    def _says_basic(self) -> bool:
        told = self._configuration().get("token_endpoint_auth_methods_supported")
        return not isinstance(told, list) or "client_secret_basic" in told

    def _key_set(self, again: bool) -> KeySet:
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        with self._lock:
            age = self._monotonic() - self._keys_at
            least = KEYS_AGAIN if again else KEPT
            if self._keys is not None and age < least.total_seconds():
                return self._keys
        status, said = self._ask("GET", self._endpoint("jwks_uri"))
        if status != 200 or not isinstance(said.get("keys"), list):
            raise ProviderDown("the identity provider does not say its keys")
        keys = [key for key in said["keys"] if key.get("use", "sig") == "sig"]
        try:
            found = KeySet.import_key_set({"keys": keys})
        except (JoseError, ValueError, TypeError, AttributeError) as error:
            raise ProviderDown(f"the identity provider's keys cannot be read: {error}") from None
        with self._lock:
            self._keys, self._keys_at = found, self._monotonic()
        return found

    def _configuration(self) -> Mapping[str, Any]:
        with self._lock:
            if self._monotonic() - self._document_at < KEPT.total_seconds():
                return self._document
        status, said = self._ask("GET", self.client.issuer.rstrip("/") + WELL_KNOWN)
        if status != 200:
            raise ProviderDown(f"the identity provider answers {status}")
        if said.get("issuer") != self.client.issuer:
            raise ProviderDown(
                f"the identity provider calls itself {str(said.get('issuer'))[:100]!r}, not "
                f"{self.client.issuer!r}: write that as [web.oidc] issuer"
            )
        with self._lock:
            self._document, self._document_at = said, self._monotonic()
        return said

    def _endpoint(self, name: str) -> str:
        found = self._configuration().get(name)
        if not isinstance(found, str) or not is_safe(found):
            raise ProviderDown(f"the identity provider names no {name} under https")
        return found

    def _ask(self, method: str, url: str, **given: Any) -> tuple[int, dict[str, Any]]:
        begun = self._monotonic()
        body = b""
        try:
            with self._http.stream(
                method, url, headers={"Accept": "application/json"}, **given
            ) as answer:
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > MAX_BYTES or self._monotonic() - begun > DEADLINE_S:
                        raise ProviderDown("the identity provider's answer does not end")
        except httpx.HTTPError as error:
            raise ProviderDown(
                f"the identity provider does not answer ({type(error).__name__})"
            ) from None
        try:
            said = json.loads(body)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise ProviderDown(f"the identity provider answers {answer.status_code} without JSON")
        return answer.status_code, said


def claimed(claims: Mapping[str, Any], path: str) -> Sequence[str]:
    """Return the texts under a claim; dots lead into nested ones.

    Examples
    --------
    >>> claimed({"realm_access": {"roles": ["desk", 7]}}, "realm_access.roles")
    ['desk']
    >>> claimed({"https://x.example/role": "desk"}, "https://x.example/role"), claimed({}, "groups")
    (['desk'], [])
    """
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for step in path.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return [found]
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _encoded(text: str) -> str:
    return urlencode({"": text})[1:]
