"""The PAC over one kept-alive session: save, then read back, as certpipe's connector does."""

from base64 import b64encode

import requests

TIMEOUT = 30


class Pac:
    """SW's vault. Raises what `requests` raises, also for an answer that is no success."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def _authenticate(self) -> None:
        body = {"user": "simulated", "password": "simulated"}
        answer = self._session.post(f"{self._url}/v2/security/authenticate", json=body, timeout=TIMEOUT)
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['data']['token']}"

    def save(self, certificate: bytes, private_key: bytes, password: str, number: str) -> None:
        """Hand it over and see that it is there."""
        if "Authorization" not in self._session.headers:
            self._authenticate()
        body: dict[str, str | bool] = {
            "type": "stamp",
            "b64Cer": b64encode(certificate).decode(),
            "b64Key": b64encode(private_key).decode(),
            "password": password,
            "is_active": True,
        }
        self._session.post(f"{self._url}/certificates/save", json=body, timeout=TIMEOUT).raise_for_status()
        found = self._session.get(f"{self._url}/certificates/{number}", timeout=TIMEOUT)
        found.raise_for_status()
        if found.json()["data"]["certificate_number"] != number:
            raise requests.RequestException("the PAC has another certificate under this number")
