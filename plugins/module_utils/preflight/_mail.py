# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Are the settings for mail whole, and does the server that they name greet? Nothing is sent, nobody logs in."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.module_utils.preflight import _variables
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params

_ON = ("1", "on", "true", "yes")
_PORTS = {"implicit": 465}
_SUBMISSION = 587


def judge(values: Mapping[str, Any], host_variable: str, user_variable: str, enabled_variable: str | None) -> Finding:
    """Mail is configured when both host and user are set, and it has to be switched on where there is a switch."""
    host, user = (redact(_variables.text(values.get(name)).strip()) for name in (host_variable, user_variable))
    switch = _variables.text(values.get(enabled_variable)).strip() if enabled_variable else ""
    enabled = switch.lower() in _ON if enabled_variable else None
    value = {"host": host, "user": user, "configured": bool(host and user), "enabled": enabled}
    missing = [name for name, given in ((host_variable, host), (user_variable, user)) if not given]
    problems = [f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing or empty"] if missing else []
    if enabled is False:
        problems.append(f"mail is switched off ({enabled_variable} is {switch or 'missing'})")
    return Finding(not problems, "; ".join(problems) or f"mail goes through {host} as {user}", value)


def port_of(params: Params, values: Mapping[str, Any]) -> int:
    """The port to ask: the check's own, the one of SMTP_PORT, or what is usual. ValueError when it is none."""
    given = params["port"] or _variables.text(values.get("SMTP_PORT")).strip()
    port = int(given) if given else _PORTS.get(params["tls"], _SUBMISSION)
    if not 0 < port < 65536:
        raise ValueError
    return port


def greet(host: str, port: int, tls: str | None, ca_file: str | None, timeout: float) -> dict[str, Any]:
    """Say EHLO, turn encryption on, and return what the server offers. SMTPException or OSError when it does not."""
    context = ssl.create_default_context(cafile=ca_file)
    client: smtplib.SMTP
    if tls == "implicit":
        client = smtplib.SMTP_SSL(host, port, timeout=timeout, context=context)
    else:
        client = smtplib.SMTP(host, port, timeout=timeout)
    with client:
        client.ehlo_or_helo_if_needed()
        # Without a word about it, encryption is used where the server has it, as mailers do.
        if tls == "starttls" or (tls is None and client.has_extn("starttls")):
            client.starttls(context=context)
            client.ehlo()
        auth = client.esmtp_features.get("auth", "").split()
        return {"port": port, "encrypted": isinstance(client.sock, ssl.SSLSocket), "auth": auth}


def look(params: Params) -> Finding:
    try:
        values = _variables.load(params)
    except ValueError as error:
        return Finding(False, str(error))
    names = [params["host_variable"] or "SMTP_HOST", params["user_variable"] or "SMTP_USER"]
    finding = judge(values, names[0], names[1], params["enabled_variable"])
    if not (finding.passed and params["connect"]):
        return finding
    host = finding.value["host"]
    try:
        port = port_of(params, values)
    except ValueError:
        return Finding(False, "SMTP_PORT is no port", finding.value)
    try:
        found = greet(host, port, params["tls"], params["ca_file"], params["timeout"])
    except (smtplib.SMTPException, OSError) as error:
        return Finding(False, f"the mail server {host}:{port} does not serve us: {_cause(error)}", finding.value)
    how = "encrypted" if found["encrypted"] else "without encryption"
    return Finding(True, f"{finding.message}, which greets on port {port}, {how}", {**finding.value, **found})


def _cause(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        return redact(f"it answered {error.smtp_code} {said}".splitlines()[0].strip())
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    return redact(getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")


KIND = Kind(
    options={
        **_variables.SOURCE,
        "host_variable": {"type": "str"},
        "user_variable": {"type": "str"},
        "enabled_variable": {"type": "str"},
        "connect": {"type": "bool"},
        "port": {"type": "int"},
        "tls": {"type": "str", "choices": ["starttls", "implicit", "none"]},
        "ca_file": {"type": "path"},
    },
    look=look,
    one_of=("config", "values"),
    group="notification",
)
