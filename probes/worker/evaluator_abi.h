/* What couplingd-probe calls in libcouplingd_evaluator.so. C, so that either side may be rebuilt
 * alone.
 *
 * The library is opened in a child process of its own, after that process has put itself into its
 * sandbox. It is called once per request, one after the other, and not again after a failure; a
 * call gives the same scores whatever was called before. It must not write to stdout (descriptor 1
 * leads to stderr there), start processes or open sockets.
 */
#pragma once

#define COUPLINGD_EVALUATOR_ABI 2

#ifdef __cplusplus
extern "C" {
#endif

/* Returns COUPLINGD_EVALUATOR_ABI of the headers that the library was built with. Asked first;
 * another number is refused. */
__attribute__((visibility("default"))) int couplingd_evaluator_abi(void);

/* Evaluates one checkpoint.
 *
 * request_json: UTF-8, NUL-terminated, valid during the call. The request as couplingd-probe read
 * it, with these fields settled: "checkpoint" is the real path (links resolved); "device" is "cpu",
 * "cuda:0" (the one visible GPU, chosen or named) or "auto" (a GPU is visible if there is one; fall
 * back to the CPU and say so); "device_free_bytes" is what NVML says is free of its memory, 0 where
 * nothing says. frames_fd: a pipe. Frames are JSON objects, one a line of at most 1 MiB, each with
 * a string "frame": start, progress, task, note, result, error. "exit" is the parent's and must not
 * be sent. A failed write means that the parent is gone.
 *
 * Returns 0 after a "result" frame was written. Otherwise an "error" frame was written and the
 * value is the exit status that belongs to its kind (ExitCode in base/result.h). Must not throw. */
__attribute__((visibility("default"))) int couplingd_evaluate(const char* request_json,
                                                              int frames_fd);

#ifdef __cplusplus
}
#endif
