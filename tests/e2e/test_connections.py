"""Connections at the listener: who sent a request, how many connections one may hold, and for how long."""

def raw(daemon, *lines, body=b""):
    """A request as these lines say, over a connection of its own; what comes back until the end of it."""
    with daemon.connect() as peer:
        peer.sendall("\r\n".join([*lines, "Host: x", "Connection: close", "", ""]).encode() + body)
        answer = b""
        while True:
            piece = peer.recv(65536)
            if not piece:
                return answer
            answer += piece


def test_lines_of_x_forwarded_for_are_one_list(stage):
    """A proxy may write its own line behind the one that the client made up: the last element counts."""
    daemon = stage.daemon(config={"listen": {"address": "127.0.0.1:0", "trusted_proxies": ["127.0.0.1"]}})
    mark = daemon.mark()
    raw(
        daemon,
        "POST /webhooks/unknown HTTP/1.1",
        "X-Forwarded-For: 198.51.100.66",
        "X-Forwarded-For: 203.0.113.7:4711",
        "Content-Length: 0",
    )
    assert daemon.wait_log(r"203\.0\.113\.7(?!:4711)", since=mark)
    assert not daemon.process.stderr.find(r"198\.51\.100\.66", since=mark)
