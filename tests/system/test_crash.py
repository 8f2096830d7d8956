# SPDX-License-Identifier: Apache-2.0
"""
The gateway is killed before and after each commit and each request in the life of a job, and each reply is lost in turn. Whatever is cut
off, the job ends once, nothing acknowledged is lost, nothing is bought twice, and nothing stays on the workers.
"""
import pytest

from conftest import job, small_spec
from crash import Rig, run_cases


@pytest.fixture
def rig(tmp_path):
    made = []

    def make(**settings):
        r = Rig(tmp_path, small_spec(), **settings)
        made.append(r)
        r.start()
        return r

    yield make
    codes = [code for r in made for code in r.stop()]
    assert not any(codes), f"ended with {codes}"


def runs_to_the_end(rig, name, arm):
    arm()
    rig.create(job(name, "5s", backoffLimit=0))
    rig.until(lambda: rig.is_complete(name), f"{name} ends")
    rig.until(lambda: rig.is_clean(name), f"the copy of {name} is swept")
    assert rig.ran(name) == 1, f"{rig.armed}: {name} ran {rig.ran(name)} times"


@pytest.mark.parametrize("shard", range(2))
def test_a_job_ends_once_whichever_write_is_cut_off(rig, shard):
    run_cases(rig(), runs_to_the_end, shard, 2)
