from smspipe.cli.main import run

run()
