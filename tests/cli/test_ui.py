import socket


def test_taken_port_is_a_configuration_error(automl):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ran = automl("ui", "--port", other.getsockname()[1])
    assert (ran.code, "--port" in ran.err) == (4, True)


def test_port_out_of_range_is_a_usage_error(automl):
    assert automl("ui", "--port", "70000").code == 2
