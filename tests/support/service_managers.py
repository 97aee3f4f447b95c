"""launchctl, systemctl and journalctl as programs on the PATH that keep what they are told in a folder."""

from __future__ import annotations

import os
from pathlib import Path

LAUNCHCTL = """#!/bin/sh
state="$MANAGER"; echo "launchctl $*" >>"$state/calls"
case "$1" in
bootstrap) [ -e "$state/loaded" ] && { echo "Bootstrap failed: 5: Input/output error" >&2; exit 5; }
    session=Aqua; grep -q LimitLoadToSessionType "$3" && session=Background
    case "$2 $session" in
    gui/*Aqua) [ ! -e "$state/headless" ] ;; user/*Background) ;; *) false ;;
    esac || { echo "Bootstrap failed: 125: Domain does not support specified action" >&2; exit 125; }
    echo "$2" >"$state/domain"; echo 4711 >"$state/loaded" ;;
bootout) [ -e "$state/loaded" ] || exit 3
    [ "${2%/*}" = "$(cat "$state/domain")" ] || exit 3
    mv "$state/loaded" "$state/ending"
    if [ -e "$state/slow" ]; then echo "Boot-out failed: 36: Operation now in progress" >&2; exit 36; fi
    if [ -e "$state/stuck" ]; then echo "Boot-out failed: 1: Operation not permitted" >&2; exit 1; fi ;;
kickstart) [ -e "$state/loaded" ] || exit 113; for target; do :; done
    [ "${target%/*}" = "$(cat "$state/domain")" ] || exit 113
    echo 4712 >"$state/loaded" ;;
print) if [ -e "$state/ending" ]; then [ -e "$state/endless" ] || rm "$state/ending"; exit 0; fi  # it takes a while
    [ -e "$state/loaded" ] && [ "${2%/*}" = "$(cat "$state/domain")" ] ||
        { echo "Could not find service" >&2; exit 113; }
    echo "gui/501/io.speechmlx.server = {"; pid="$(cat "$state/loaded")"
    if [ "$pid" = ended ]; then printf '\\tstate = not running\\n\\tlast exit code = 2\\n'
    else printf '\\tstate = running\\n\\tpid = %s\\n\\tlast exit code = (never exited)\\n' "$pid"; fi ;;
*) exit 64 ;;
esac
"""
SYSTEMCTL = """#!/bin/sh
state="$MANAGER"; echo "systemctl $*" >>"$state/calls"; shift
case "$1" in
start | restart) [ -e "$state/broken" ] && { echo "Job failed. See journalctl." >&2; exit 1; }; touch "$state/active" ;;
stop) rm -f "$state/active" ;;
disable) rm -f "$state/active" ;;
daemon-reload | enable) ;;
show) if [ -e "$state/active" ]; then printf 'ActiveState=active\\nMainPID=4711\\nExecMainStatus=0\\n'
    elif [ -e "$state/broken" ]; then printf 'ActiveState=failed\\nMainPID=0\\nExecMainStatus=2\\n'
    else printf 'ActiveState=inactive\\nMainPID=0\\nExecMainStatus=0\\n'; fi ;;
*) exit 64 ;;
esac
"""
JOURNALCTL = """#!/bin/sh
[ "$*" = "--user --unit speechmlx.service --identifier audio-server --lines 1 --output cat" ] || exit 64
echo "audio-server: port must be a number"
"""


class ServiceManagers:
    """`environment` of a process that finds them; `calls` of theirs, the answered questions left out."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.home = folder / "home"
        programs = folder / "programs"
        for made in (self.state, self.home, programs):
            made.mkdir(parents=True)
        for name, text in (("launchctl", LAUNCHCTL), ("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self.environment = {
            "HOME": str(self.home),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "MANAGER": str(self.state),
        }

    def calls(self) -> list[str]:
        """The calls since the last time that change something."""
        file = self.state / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.write_text("")
        return [line for line in lines if " print " not in line and " show " not in line]
