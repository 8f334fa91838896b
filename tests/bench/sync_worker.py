"""The process that `sync-headers` measures: `python -m tests.bench.sync_worker ACCOUNT`.

Prints seconds, seconds of CPU and peak MB. It imports nothing of the benchmarks beside it, so that its memory is that
of a worker; the environment names its servers.
"""

import resource
import sys
import time

PASSES = 60


def main(account_id: int) -> None:
    """Passes over the account until nothing older is left, as the tasks would make them."""
    import django

    django.setup()
    from webmail.sync.account import sync_account
    from webmail.sync.backfill import unfinished

    begin = time.perf_counter()
    for number in range(PASSES):
        result = sync_account(account_id, older=number > 0)
        if not (result.again or result.older or unfinished(account_id)):
            break
    seconds = time.perf_counter() - begin
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


if __name__ == "__main__":
    main(int(sys.argv[1]))
