"""Become a service: die with the parent, stay within a memory limit and what may be touched, then exec. Run by its path.

Kept free of imports beyond the standard library, so that it costs some ten milliseconds; a `preexec_fn` would be
unsafe in a parent with threads. The confinement is the kernel's Landlock (`linux/landlock.h`): it needs no privilege, binds root
as well, and everything that the process starts inherits it for good.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import stat
import struct
import sys

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_MEBIBYTE = 1024 * 1024

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEV = 1, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_EVERYTHING = (1 << 16) - 1
RIGHTS = {
    "list": _READ_DIR,
    "read": _EXECUTE | _READ_FILE | _READ_DIR,
    "use": _READ_FILE | _WRITE_FILE | _IOCTL_DEV,
    "write": _EVERYTHING & ~(_IOCTL_DEV | _MAKE_CHAR | _MAKE_BLOCK),
}
"""By word of a rule: names in folders; their content and programs; devices; everything but making devices."""
_HANDLED = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
"""Kinds of access that a level of Landlock knows; from level 5 on, ioctl on devices too."""
_SCOPES_SINCE, _SCOPES = 6, 3
"""Since level 6: no abstract socket and no signal reaches a process outside."""
_KEPT_CAPABILITIES = frozenset({0, 1, 2, 3, 5, 6, 7})
"""Of root's: to own and enter files and to become another account. Gone are raw disks and memory, mounts, modules, tracing."""


def level() -> int:
    """Return the level of Landlock that this kernel offers, 0 when it has none."""
    return max(0, int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, _VERSION)))


def confine(rules: list[tuple[str, str]]) -> None:
    """Let this process and all it starts touch only what `rules` name: pairs of a word of `RIGHTS` and a path.

    A path that does not exist gives nothing.

    Raises:
        OSError: the kernel refuses.
    """
    offered = level()
    if not offered:
        raise OSError("this kernel has no Landlock")
    handled = _HANDLED.get(offered, _EVERYTHING)
    attributes = struct.pack("QQQ", handled, 0, _SCOPES if offered >= _SCOPES_SINCE else 0)
    size = 24 if offered >= _SCOPES_SINCE else 8
    ruleset = _call(_CREATE_RULESET, ctypes.c_char_p(attributes), ctypes.c_size_t(size), 0)
    try:
        for word, path in rules:
            _allow(ruleset, RIGHTS[word] & handled, path)
        _drop_capabilities()
        _control(_PR_SET_NO_NEW_PRIVS, 1)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, rights: int, path: str) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    try:
        fitting = rights if stat.S_ISDIR(os.fstat(place).st_mode) else rights & _OF_FILES
        if fitting:
            _call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.c_char_p(struct.pack("<Qi", fitting, place)), 0)
    finally:
        os.close(place)


def _drop_capabilities() -> None:
    if os.geteuid() == 0:
        with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as last:  # noqa: PTH123  pathlib would cost its import
            known = int(last.read())
        for number in range(known + 1):
            if number not in _KEPT_CAPABILITIES:
                _control(_PR_CAPBSET_DROP, number)


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    done = int(libc.syscall(number, *arguments))
    if done < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return done


def _control(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def main(arguments: list[str]) -> None:
    """Exec `arguments[3:]` as a child of process `arguments[1]`, with at most `arguments[0]` MiB of data (0: no limit).

    `arguments[2]` is a file with the rules of its confinement; empty for none.
    """
    limit_mb, parent, rules, command = int(arguments[0]), int(arguments[1]), arguments[2], arguments[3:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the parent process has ended before its service could start")
    if limit_mb:
        resource.setrlimit(resource.RLIMIT_DATA, (limit_mb * _MEBIBYTE, limit_mb * _MEBIBYTE))
    os.umask(0o077)  # rows, logs and outputs are this account's alone
    if rules:
        with open(rules, encoding="utf-8") as file:  # noqa: PTH123  pathlib would cost its import
            confine([(word, path) for word, path in json.load(file)])
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
