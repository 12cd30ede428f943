// A libnccl.so.2 for tests: ranks that are threads of one process, one group of them at a time. Sums are made when they are
// enqueued, once fake_finish has brought the stream so far.
#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))

API void (*fake_finish)(void* stream);
API int fake_alive, fake_windows, fake_memory, fake_sums_in_windows, fake_disorder;
void (*fake_finish)(void* stream) = nullptr;
int fake_alive = 0, fake_windows = 0, fake_memory = 0, fake_sums_in_windows = 0, fake_disorder = 0;

namespace {

constexpr int kSuccess = 0, kInvalid = 4, kInt64 = 4, kFloat32 = 7, kMax = 2;

struct Id {
  char bytes[128];
};
struct Comm {
  int rank, size;
};

std::mutex mutex;
std::condition_variable all_there;
int arrived = 0, round = 0;
const void* values[64];
size_t counts[64];
int types[64];

struct Window {
  Comm* comm;
  const char* memory;
  size_t bytes;
};
std::vector<Window*> windows;

void meet(int size) {
  std::unique_lock<std::mutex> lock(mutex);
  const int mine = round;
  if (++arrived == size) {
    arrived = 0;
    ++round;
    all_there.notify_all();
  } else {
    all_there.wait(lock, [&] { return round != mine; });
  }
}

template <typename T>
void sum(void* out, size_t count, int op, const Comm& comm) {
  std::vector<T> total(static_cast<const T*>(values[0]), static_cast<const T*>(values[0]) + count);
  for (int r = 1; r < comm.size; ++r) {
    const T* other = static_cast<const T*>(values[r]);
    for (size_t i = 0; i < count; ++i) total[i] = op == kMax ? std::max(total[i], other[i]) : total[i] + other[i];
  }
  meet(comm.size);  // all have read what some are about to overwrite
  std::memcpy(out, total.data(), count * sizeof(T));
}

// What NCCL itself would hang at, or add up to nonsense.
void require_same(const Comm& comm, size_t count, int type) {
  for (int r = 0; r < comm.size; ++r) {
    if (counts[r] == count && types[r] == type) continue;
    std::fprintf(stderr, "the ranks sum %zu and %zu values\n", count, counts[r]);
    std::abort();
  }
}

bool is_in_window(const Comm* comm, const void* memory) {
  const char* at = static_cast<const char*>(memory);
  for (const Window* w : windows) {
    if (w->comm == comm && at >= w->memory && at < w->memory + w->bytes) return true;
  }
  return false;
}

}  // namespace

API int ncclGetVersion(int* version) { return *version = 23007, kSuccess; }
API int ncclGetUniqueId(Id* id) { return std::memset(id, 42, sizeof *id), kSuccess; }
API const char* ncclGetErrorString(int) { return "no error"; }
API const char* ncclGetLastError(void*) { return ""; }

API int ncclCommInitRankConfig(Comm** comm, int size, Id, int rank, void*) {
  *comm = new Comm{rank, size};
  meet(size);
  const std::lock_guard<std::mutex> lock(mutex);
  ++fake_alive;
  return kSuccess;
}
API int ncclCommGetAsyncError(Comm*, int* error) { return *error = kSuccess, kSuccess; }
API int ncclCommFinalize(Comm*) { return kSuccess; }
API int ncclCommDestroy(Comm* comm) {
  const std::lock_guard<std::mutex> lock(mutex);
  for (const Window* w : windows) fake_disorder += w->comm == comm;
  delete comm;
  --fake_alive;
  return kSuccess;
}
API int ncclCommAbort(Comm* comm) {
  {
    const std::lock_guard<std::mutex> lock(mutex);
    for (size_t w = windows.size(); w-- > 0;) {
      if (windows[w]->comm != comm) continue;
      delete windows[w];
      windows.erase(windows.begin() + static_cast<std::ptrdiff_t>(w));
      --fake_windows;
    }
  }
  return ncclCommDestroy(comm);
}

API int ncclMemAlloc(void** memory, size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex);
  ++fake_memory;
  *memory = std::malloc(bytes);
  return std::memset(*memory, 0xFF, bytes), kSuccess;
}
API int ncclMemFree(void* memory) {
  const std::lock_guard<std::mutex> lock(mutex);
  for (const Window* w : windows) fake_disorder += w->memory == memory;
  --fake_memory;
  return std::free(memory), kSuccess;
}
API int ncclCommWindowRegister(Comm* comm, void* memory, size_t bytes, Window** window, int) {
  meet(comm->size);
  const std::lock_guard<std::mutex> lock(mutex);
  windows.push_back(*window = new Window{comm, static_cast<const char*>(memory), bytes});
  ++fake_windows;
  return kSuccess;
}
API int ncclCommWindowDeregister(Comm* comm, Window* window) {
  const std::lock_guard<std::mutex> lock(mutex);
  const auto at = std::find(windows.begin(), windows.end(), window);
  if (at == windows.end() || window->comm != comm) return ++fake_disorder, kInvalid;
  windows.erase(at);
  delete window;
  --fake_windows;
  return kSuccess;
}

API int ncclAllReduce(const void* in, void* out, size_t count, int type, int op, Comm* comm, void* stream) {
  fake_finish(stream);
  {
    const std::lock_guard<std::mutex> lock(mutex);
    if (is_in_window(comm, in)) ++fake_sums_in_windows;
  }
  values[comm->rank] = in;
  counts[comm->rank] = count;
  types[comm->rank] = type;
  meet(comm->size);
  require_same(*comm, count, type);
  if (type == kInt64) {
    sum<int64_t>(out, count, op, *comm);
  } else if (type == kFloat32) {
    sum<float>(out, count, op, *comm);
  } else {
    sum<double>(out, count, op, *comm);
  }
  return kSuccess;
}
