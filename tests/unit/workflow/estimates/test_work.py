"""Work of a job as seconds on a machine, and rates of this machine."""

import pytest

from scripts.monosem.workflow.estimates import machine
from scripts.monosem.workflow.estimates.work import BFLOAT16, NARROW, REFERENCE_FLOPS_PER_S, Machine, Work, product

FAST = Machine(cores=2, flops_per_s=3e9, all_flops_per_s=4e9)


def test_products_take_their_flops_over_the_rate_of_a_core_while_all_are_busy():
    assert FAST.core_flops_per_s == 2e9
    assert Work(products=6e9).seconds(FAST) == 3.0
    assert Work(narrow=6e9).seconds(FAST) == pytest.approx(3.0 * NARROW)


def test_one_core_has_the_rate_that_it_has_alone():
    assert Machine(cores=1, flops_per_s=3e9, all_flops_per_s=4e9).core_flops_per_s == 3e9


def test_passes_and_interpreter_follow_the_slowness_not_the_product_rate():
    work = Work(passes=REFERENCE_FLOPS_PER_S, interpreter_s=2.0)
    assert work.seconds(FAST) == 3.0
    assert work.seconds(Machine(1, 1e9, 1e9, slowness=2.0)) == 6.0


def test_bfloat16_shortens_what_is_in_it():
    work = Work(products=4e9, low=2e9)
    with_it = Machine(2, 3e9, 4e9, bfloat16=True)
    assert work.seconds(with_it) == pytest.approx(1.0 + BFLOAT16)


def test_times_and_disk_add_up_and_memory_is_the_larger_one():
    total = Work(products=1.0, disk_bytes=2.0, memory_bytes=5.0) + Work(products=2.0, disk_bytes=3.0, memory_bytes=4.0)
    assert total == Work(products=3.0, disk_bytes=5.0, memory_bytes=5.0)


def test_a_product_is_narrow_by_its_inner_side():
    assert product(1.0, 128) == Work(narrow=1.0) and product(1.0, 512) == Work(products=1.0)


def test_this_machine_has_rates():
    here = machine.measure(cores=1)
    assert here.cores == 1 and here.flops_per_s > 1e8 and here.slowness > 0
    assert here.all_flops_per_s == here.flops_per_s


def test_bfloat16_is_read_from_the_flags_of_the_processor(tmp_path):
    flags = tmp_path / "cpuinfo"
    for text, fast in (("flags : avx2 avx512_bf16\n", True), ("flags : avx2\n", False)):
        flags.write_text(text)
        assert machine.has_fast_bfloat16(flags) is fast
    assert machine.has_fast_bfloat16(tmp_path / "none") is False


def test_without_numpy_there_is_no_rate_and_no_error(monkeypatch):
    monkeypatch.setattr(machine, "PRODUCT", "import nothing_of_this_name")
    assert machine.product_rate(1) == 0.0
