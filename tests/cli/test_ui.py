import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

QUERY = "/api/2.0/mlflow/experiments/get-by-name?experiment_name="


def test_taken_port_is_a_configuration_error(automl):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ran = automl("ui", "--port", other.getsockname()[1])
    assert (ran.code, "--port" in ran.err) == (4, True)


def test_port_out_of_range_is_a_usage_error(automl):
    assert automl("ui", "--port", "70000").code == 2


def test_absent_tracking_server_is_a_configuration_error(automl):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{probe.getsockname()[1]}"
    ran = automl("ui", "--tracking-uri", uri)
    assert (ran.code, ran.out) == (4, "")
    assert f"MLflow at {uri} does not answer" in ran.err


def test_link_opens_the_runs_of_the_newest_study(tiny, automl):
    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            known = {"/health": "OK", f"{QUERY}automl": {"experiment": {"experiment_id": "7"}}}
            self.send_response(200 if self.path in known else 404)
            self.end_headers()
            self.wfile.write(json.dumps(known.get(self.path)).encode())

        def log_message(self, *_):
            pass

    tiny("--trials", "2", "--study", "a", "--quiet")
    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        uri = f"http://127.0.0.1:{server.server_port}"
        ran = automl("ui", "--tracking-uri", uri)
    finally:
        server.shutdown()
        server.server_close()
    assert ran.code == 0
    assert f"{uri}/#/experiments/7/runs" in ran.out
