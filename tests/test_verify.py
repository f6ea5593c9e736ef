"""Published figures on real data (make verify): minutes each."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from searchapp.cli.main import app

SCIFACT = {384: 0.6451, 256: 0.6351, 192: 0.6143, 128: 0.6016, 96: 0.5533, 64: 0.4841, 32: 0.3371, 16: 0.1580}
"""nDCG@10 of all-MiniLM-L6-v2 on SciFact test, cut to each dim and made unit length again."""


@pytest.mark.verify
def test_scifact_at_every_dim(real_data: Path) -> None:
    dims = ",".join(map(str, SCIFACT))
    arguments = ["bench", str(real_data / "scifact"), "--model", "minilm", "--dims", dims, "--kinds", "flat", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    found = {cell["dim"]: cell["measures"]["nDCG@10"] for cell in report["cells"] if cell["dim"]}
    assert report["queries"]["evaluated"] == 300
    assert found == pytest.approx(SCIFACT, abs=0.0005)


@pytest.mark.verify
def test_ivf_pq_with_rescoring_stays_within_one_percent_on_home_depot(real_data: Path) -> None:
    arguments = ["bench", str(real_data / "home_depot"), "--kinds", "flat,ivf-pq", "--nprobe", "384", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    flat, ivf = (cell["measures"]["nDCG@10"] for cell in json.loads(done.stdout)["cells"] if cell["dim"])
    assert ivf >= 0.99 * flat


@pytest.mark.verify
@pytest.mark.parametrize(("name", "split"), [("nfcorpus", "dev"), ("vaswani", "test"), ("esci_us", "test")])
def test_every_real_layout_loads_and_benches(real_data: Path, name: str, split: str) -> None:
    done = CliRunner().invoke(app, ["bench", str(real_data / name), "--split", split, "--json"])
    assert done.exit_code == 0, done.output
    cells = {cell["name"]: cell["measures"]["nDCG@10"] for cell in json.loads(done.stdout)["cells"]}
    assert cells["random"] < 0.1 < 0.25 < cells["d384-flat"]


@pytest.mark.verify
def test_stsb_at_full_width(real_data: Path) -> None:
    done = CliRunner().invoke(app, ["bench", str(real_data / "stsb" / "sts-test.csv"), "--json"])
    assert done.exit_code == 0, done.output
    # Published: 82.03.
    assert json.loads(done.stdout)["rows"][0]["measures"]["spearman_cosine"] == pytest.approx(0.8203, abs=0.00005)
