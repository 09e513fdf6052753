"""Stands in for what a job runs: the job's key says how it behaves. `python stand_in.py KEY …`."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bot.child import TRY_AGAIN, end_with_parent, report, report_result

end_with_parent()
key, *switches = sys.argv[1:]
with Path("ran").open("a") as ran:
    ran.write(f"{key} {os.getpid()}\n")
report(0.5, "half of it", 7)
if key == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
if key == "kill":
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
if key == "refuse":
    print("a library warns\nThe folder is gone. Bring it back.", file=sys.stderr)
    sys.exit(1)
if key == "unstorable":
    report(7, "half of a \0 \ud83d", -1)
    report_result({"text": "a \0"})
    sys.exit()
if key == "later":
    print("The database is away.", file=sys.stderr)
    sys.exit(TRY_AGAIN)
if key == "family":
    subprocess.Popen(["sleep", "60"])
    print("a library says", flush=True)
    print("[1, 2]", flush=True)
while key in {"slow", "family"} and not Path("go on").exists():
    time.sleep(0.02)
report_result({"key": key, "switches": switches, "niceness": os.nice(0)})
