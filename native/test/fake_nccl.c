/* A libnccl.so.2 for tests: communicators of one rank that sum host memory, and that fail as they are told to. */
#include <stdlib.h>
#include <string.h>

enum { kSuccess = 0, kUnhandledCudaError = 1, kInProgress = 7 };

typedef struct { char bytes[128]; } Id;
typedef struct { size_t size; unsigned magic, version; int blocking; } Config;
typedef struct { int looks, windows; } Comm;
typedef struct { Comm* comm; void* memory; } Window;

/* Read by the test with dlsym. */
__attribute__((visibility("default"))) int fake_hang_at_init, fake_fail_at_reduce, fake_hang_at_finalize, fake_version = 23007;
__attribute__((visibility("default"))) int fake_alive, fake_aborted, fake_bad_config;
/* Windows registered and not deregistered, memory not freed; what was done in a wrong order. */
__attribute__((visibility("default"))) int fake_no_windows, fake_fail_at_window, fake_null_window, fake_windows, fake_memory, fake_disorder;

#define API __attribute__((visibility("default")))

API int ncclGetVersion(int* version) { *version = fake_version; return kSuccess; }
API int ncclGetUniqueId(Id* id) { memset(id, 42, sizeof *id); return kSuccess; }
API const char* ncclGetErrorString(int result) { return result == kUnhandledCudaError ? "unhandled cuda error" : "no error"; }
API const char* ncclGetLastError(void* comm) { (void)comm; return "the fake failed"; }

API int ncclCommInitRankConfig(Comm** comm, int size, Id id, int rank, Config* config) {
  (void)size, (void)rank;
  if (id.bytes[127] != 42 || config->magic != 0xcafebeef || config->blocking != 0 || config->size < sizeof *config) fake_bad_config = 1;
  *comm = calloc(1, sizeof **comm);
  fake_alive += 1;
  return kInProgress;
}

/* Done at the third look, unless told otherwise. */
API int ncclCommGetAsyncError(Comm* comm, int* error) {
  comm->looks += 1;
  *error = fake_hang_at_init || comm->looks < 3 ? kInProgress : kSuccess;
  if (fake_hang_at_finalize == 2) *error = kInProgress;
  return kSuccess;
}

API int ncclCommFinalize(Comm* comm) {
  (void)comm;
  if (fake_hang_at_finalize) fake_hang_at_finalize = 2;
  return kInProgress;
}

/* An abort forgets windows, but whoever ends a communicator in good order ends them first. */
API int ncclCommDestroy(Comm* comm) {
  if (comm->windows > 0) fake_disorder += 1;
  free(comm);
  fake_alive -= 1;
  return kSuccess;
}
API int ncclCommAbort(Comm* comm) {
  fake_windows -= comm->windows;
  free(comm);
  fake_alive -= 1;
  fake_aborted += 1;
  return kSuccess;
}

static void* registered;

API int ncclMemAlloc(void** memory, size_t bytes) {
  if (fake_no_windows) return kUnhandledCudaError;
  *memory = malloc(bytes);
  fake_memory += 1;
  return kSuccess;
}
API int ncclMemFree(void* memory) {
  if (memory == registered && fake_windows > 0) fake_disorder += 1;
  free(memory);
  fake_memory -= 1;
  return kSuccess;
}
API int ncclCommWindowRegister(Comm* comm, void* memory, size_t bytes, Window** window, int flags) {
  (void)bytes;
  if (fake_fail_at_window) return kUnhandledCudaError;
  if (flags != 1) fake_disorder += 1;
  if (fake_null_window) return *window = NULL, kSuccess;
  *window = malloc(sizeof **window);
  (*window)->comm = comm;
  (*window)->memory = registered = memory;
  comm->windows += 1;
  fake_windows += 1;
  return kInProgress;
}
API int ncclCommWindowDeregister(Comm* comm, Window* window) {
  if (window->comm != comm || comm->windows < 1) fake_disorder += 1;
  comm->windows -= 1;
  fake_windows -= 1;
  free(window);
  return kSuccess;
}

API int ncclAllReduce(const void* in, void* out, size_t count, int type, int op, Comm* comm, void* stream) {
  (void)op, (void)comm, (void)stream;
  if (fake_fail_at_reduce) return kUnhandledCudaError;
  memmove(out, in, count * (type == 7 ? 4 : 8));
  return kSuccess;
}
