"""The files that a worker gets over the network."""

import subprocess
import sys
from pathlib import Path


def test_no_name_from_the_network_leaves_the_folder(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from perfcli.loadtest.engine.worker import pack, unpack
from perfcli.loadtest.plan import Plan

folder = Path(sys.argv[1]) / "worker"
folder.mkdir()
scenario = Path(sys.argv[1]) / "mine.py"
scenario.write_text("content")
message = pack(Plan(base_url="http://127.0.0.1:1", scenario=str(scenario)), 0, 1)
message["files"]["scenario"] = ("../../evil.py", b"content")
message["files"]["../escaped"] = ("evil.py", b"content")
print(Path(unpack(message, folder).scenario).relative_to(folder))
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "scenario/evil.py\n"
    assert not list(tmp_path.glob("**/escaped"))
