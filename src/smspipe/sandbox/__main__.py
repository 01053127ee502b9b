"""Run the sandbox alone: `python -m smspipe.sandbox --port 4010`."""

import argparse

import uvicorn

from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN, Sandbox


def main() -> None:
    """Read the command line and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m smspipe.sandbox", description="A Twilio for development.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=4010, help="port to listen on (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="what chance is a function of (default: %(default)s)")
    parser.add_argument("--account-sid", default=DEMO_ACCOUNT_SID, help="the account (default: the demo account)")
    parser.add_argument("--auth-token", default=DEMO_AUTH_TOKEN, help="its token (default: that of the demo account)")
    given = parser.parse_args()
    sandbox = Sandbox(account_sid=given.account_sid, auth_token=given.auth_token, seed=given.seed)
    uvicorn.run(sandbox, host=given.host, port=given.port, log_level="info", access_log=False)


if __name__ == "__main__":
    main()
