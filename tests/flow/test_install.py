"""What `make install` puts where."""

import subprocess

from conftest import BUILD


def test_install_into_a_destdir(tmp_path):
    subprocess.run(["make", "-s", "-C", str(BUILD), "install", f"DESTDIR={tmp_path}"], check=True, capture_output=True)
    files = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    for name in ("bin/tickgate-subscriber", "bin/tickgate-sim", "tickgate/tickgate.fcgi", "www/index.html", "tickgate-subscriber.8"):
        assert any(f.endswith(name) for f in files), f"{name} is not among {sorted(files)}"
    subscriber = next(f for f in files if f.endswith("bin/tickgate-subscriber"))
    done = subprocess.run([tmp_path / subscriber, "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and "0.1.0" in done.stdout
