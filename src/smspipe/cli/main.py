"""The command line."""

import sys

from smspipe import config
from smspipe.web import server


def run() -> None:
    from smspipe import app

    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--data")
    parser.add_argument("--sandbox", action="store_true")
    a = parser.parse_args()
    settings = config.load(config.find(given={"data": a.data}))
    server.run(
        lambda: app.serve(settings, host=a.host, port=a.port, sandbox=a.sandbox,
                          ready=lambda r: print(r.address, settings.project_token, settings.api_key.reveal(), flush=True))
    )


if __name__ == "__main__":
    sys.exit(run())
