import torch

from autoft.kernel.device import autocast, choose_device, prepare_process

CPU = torch.device("cpu")


def test_bf16_computes_in_bf16_and_fp32_does_not():
    layer = torch.nn.Linear(4, 4)
    for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        with autocast(CPU, precision):
            assert layer(torch.ones(1, 4)).dtype == dtype
    assert layer.weight.dtype == torch.float32


def test_a_process_gets_the_threads_of_a_trial():
    before = torch.get_num_threads()
    try:
        prepare_process(CPU, 1)
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(before)


def test_the_device_is_the_gpu_where_there_is_one():
    assert choose_device().type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_on_a_gpu_attention_builds_no_plan_for_each_shape(monkeypatch):
    before = torch.backends.cuda.cudnn_sdp_enabled()
    try:
        torch.backends.cuda.enable_cudnn_sdp(True)
        prepare_process(torch.device("cuda", 0), torch.get_num_threads())
        assert not torch.backends.cuda.cudnn_sdp_enabled()
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)
