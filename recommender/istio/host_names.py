"""Compare host names as istiod does: exact names and names whose first character is `*`.

Source: istio pkg/config/host/name.go (`Name.SubsetOf`, `Name.Matches`). Comparison is
byte-exact; a wildcard never matches its own parent (`*.foo.com` does not cover `foo.com`).
"""

from __future__ import annotations


def is_wildcard(host: str) -> bool:
    """Tell whether a host name is a pattern: its first character is `*`."""
    return host.startswith("*")


def is_subset(host: str, pattern: str) -> bool:
    """Tell whether every name that `host` covers is covered by `pattern` (`Name.SubsetOf`)."""
    if not is_wildcard(pattern):
        return host == pattern
    if is_wildcard(host) and len(host) < len(pattern):
        return False
    return host.removeprefix("*").endswith(pattern[1:])


def overlaps(first: str, second: str) -> bool:
    """Tell whether some name is covered by both (`Name.Matches`)."""
    return is_subset(first, second) or is_subset(second, first)


def expand_short_name(host: str, namespace: str, domain: str) -> str:
    """Complete a name without a dot to `name.namespace.svc.domain` (`ResolveShortnameToFQDN`)."""
    if not host or "." in host or is_wildcard(host):
        return host
    return f"{host}.{namespace}.svc.{domain}"
