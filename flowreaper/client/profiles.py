"""Finds faults of a profile of the official tools, before they use it. Pure.

The tools would fill an empty key with the environment's, which may belong to another account.
"""

from flowreaper.escaping import printable

_KEY = ("access_key_id", "access_key_secret")
_NEEDED = {
    # ~/.aliyun/config.json
    "AK": _KEY,
    "StsToken": (*_KEY, "sts_token"),
    "RamRoleArn": _KEY,
    # ~/.alibabacloud/credentials.ini
    "access_key": _KEY,
    "ram_role_arn": _KEY,
}
_TEXTS = (
    *_KEY,
    "sts_token",
    "mode",
    "source_profile",
    "ram_role_arn",
    "ram_role_name",
    "ram_session_name",
    "role_session_name",
    "sts_region",
    "policy",
    "external_id",
    "process_command",
    "oidc_provider_arn",
    "oidc_token_file",
    "access_token",
    "cloud_sso_sign_in_url",
    "oauth_site_type",
    "oauth_access_token",
    "oauth_refresh_token",
)
_TYPES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (list, "a list"),
    (dict, "an object"),
)
_SHOWN = 10


def type_in_words(value: object) -> str:
    """Return what a value of a JSON file is, in words."""
    return next((words for types, words in _TYPES if isinstance(value, types)), "of another type")


def profile_of(config: object, name: str) -> dict[str, object] | None:
    """Return the first profile of this name in a parsed config.json."""
    return next((profile for profile in _profiles(config) if profile.get("name") == name), None)


def config_fault(config: object, name: str) -> str | None:
    """Return what is wrong with a profile of a parsed config.json, None if nothing was found.

    Profiles that it builds on (``source_profile``) are checked, too.
    """
    seen: list[str] = []
    while True:
        profile = profile_of(config, name)
        if profile is None:
            return f"there is no profile '{printable(name, 60)}' in it{_others(config)}"
        where = f"in the profile '{printable(name, 60)}', on which it builds, " if seen else ""
        if fault := section_fault(profile, "mode"):
            return where + fault
        if profile.get("mode") != "ChainableRamRoleArn":
            return None
        seen.append(name)
        name = str(profile.get("source_profile") or "")
        if not name:
            return f"{where}source_profile is empty"
        if name in seen:
            return f"{where}source_profile leads back to the profile itself"


def section_fault(section: dict[str, object] | dict[str, str], kind: str) -> str | None:
    """Return what is wrong with one profile, None if nothing was found; its field `kind` says how it gets its key."""
    for field in _TEXTS:
        value = section.get(field)
        if value is not None and not isinstance(value, str):
            return f"{field} is {type_in_words(value)}, not text: put it into quotes"
    for field in _NEEDED.get(str(section.get(kind)), ()):
        if not section.get(field):
            return f"{field} is empty"
    return None


def _profiles(config: object) -> list[dict[str, object]]:
    profiles = config.get("profiles") if isinstance(config, dict) else None
    return [p for p in profiles if isinstance(p, dict)] if isinstance(profiles, list) else []


def _others(config: object) -> str:
    names = [printable(n, 40) for p in _profiles(config) if isinstance(n := p.get("name"), str)]
    more = ", …" if len(names) > _SHOWN else ""
    return f"; it has {', '.join(names[:_SHOWN])}{more}" if names else ""
