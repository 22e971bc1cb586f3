"""Several processes on this machine, started and watched by torchrun's own agent."""

from __future__ import annotations

import logging
import signal
import sys
import uuid
from collections.abc import Sequence

from cnndsl.training.errors import TrainError


def launch(processes: int, args: Sequence[str], restarts: int = 0) -> int:
    """Run `cnndsl ARGS` in so many processes; the exit code is that of the first one to fail.

    A process that dies ends the others, or all begin anew, at most `restarts` times.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for name in ("", ".elastic.agent.server.api", ".elastic.multiprocessing.api"):
        logging.getLogger(f"torch.distributed{name}").setLevel(logging.CRITICAL)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=restarts,
        monitor_interval=0.2,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "cnndsl", *args)
    except SignalException as e:
        return 128 + int(e.sigval)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except ChildFailedError as e:
        rank, failure = e.get_first_failure()
        code = failure.exitcode
        if 0 < code < 128:
            return code  # the process has said why
        if code >= 128 or -code in (signal.SIGINT, signal.SIGTERM):
            return code if code > 0 else 128 - code
        raise TrainError(
            f"process {rank} of {processes} was killed by {signal.Signals(-code).name}, "
            "and the others were ended",
            "go on from the last checkpoint with `--resume`",
        ) from e
    return 0
