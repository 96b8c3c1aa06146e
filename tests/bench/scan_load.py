"""Scanners that send at a fixed rate, in a process of their own: ``python -m tests.bench.scan_load < plan.json``.

An arrival does not wait for the answer of the one before, as in a hall where everybody scans. One picker's device does
send one after the other: what comes too early waits, and its time counts from when it was planned.
"""

import http.client
import json
import sys
import threading
import time
import uuid

OK = 200


def main():
    """Read the plan ``{port, path, rate, scans, pickers: [{job, code, headers}]}``; print ``{ms, seconds}``."""
    plan = json.load(sys.stdin)
    pickers, rate = plan["pickers"], plan["rate"]
    times, failures = [], []
    begin = time.perf_counter() + 0.5

    def work(number):
        connection = http.client.HTTPConnection("127.0.0.1", plan["port"], timeout=30)
        for arrival in range(number, plan["scans"], len(pickers)):
            if failures:
                break
            planned = begin + arrival / rate
            time.sleep(max(planned - time.perf_counter(), 0))
            try:
                _scan(connection, plan["path"], pickers[number])
            except (OSError, http.client.HTTPException, RuntimeError) as error:
                failures.append(repr(error))
                break
            times.append((time.perf_counter() - planned) * 1000)
        connection.close()

    threads = [threading.Thread(target=work, args=[number]) for number in range(len(pickers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        sys.exit(failures[0])
    print(json.dumps({"ms": times, "seconds": time.perf_counter() - begin}))


def _scan(connection, path, picker):
    body = {"id": str(uuid.uuid4()), "job": picker["job"], "kind": "scan", "code": picker["code"]}
    headers = {**picker["headers"], "Content-Type": "application/json"}
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != OK:
        raise RuntimeError(f"{path} answered {answer.status}: {text[:300]!r}")


if __name__ == "__main__":
    main()
