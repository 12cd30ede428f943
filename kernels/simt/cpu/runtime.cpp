#include "runtime.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

using Work = std::function<void()>;

struct CUstream_st {
  std::deque<Work> queue;
  uint64_t submitted = 0;
  uint64_t done = 0;
  bool capturing = false;
  std::vector<Work> captured;
};
struct CUevent_st {
  cudaStream_t stream = nullptr;
  uint64_t after = 0;  // is done once the stream has done so many pieces of work
};
struct CUgraph_st {
  std::vector<Work> work;
};
struct CUgraphExec_st {
  std::vector<Work> work;
};
struct CUmemPool_st {};

namespace {

constexpr uint64_t kWorkAQuestion = 16;

struct Failure {
  std::string function;
  cudaError_t code;
  int after;
};

struct Allocation {
  size_t bytes;
  bool pinned;
};

struct State {
  simt::Machine machine;
  std::map<const char*, Allocation> allocations;  // by their first byte
  std::set<cudaStream_t> streams;
  std::vector<Failure> failures;
  cudaError_t lost = cudaSuccess;
  CUmemPool_st pool;
};

// One thread at a time: a call, and all the work that it does. Kernels run within calls.
std::recursive_mutex& mutex() {
  static std::recursive_mutex m;
  return m;
}
using Lock = std::lock_guard<std::recursive_mutex>;

State& state() {
  static State s;
  return s;
}

thread_local int current_device = 0;
thread_local cudaError_t last_error = cudaSuccess;

cudaError_t report(cudaError_t code) {
  if (code != cudaSuccess) last_error = code;
  return code;
}

// What `function` shall return before it does anything.
cudaError_t begin(const char* function) {
  State& s = state();
  if (s.lost != cudaSuccess) return report(s.lost);
  for (size_t i = 0; i < s.failures.size(); ++i) {
    if (s.failures[i].function != function || s.failures[i].after-- > 0) continue;
    const cudaError_t code = s.failures[i].code;
    s.failures.erase(s.failures.begin() + static_cast<std::ptrdiff_t>(i));
    if (code >= cudaErrorIllegalAddress && code != cudaErrorStreamCaptureUnsupported) s.lost = code;
    return report(code);
  }
  return cudaSuccess;
}

// The allocation that holds an address, or null.
const Allocation* find(const void* address) {
  auto& all = state().allocations;
  auto after = all.upper_bound(static_cast<const char*>(address));
  if (after == all.begin()) return nullptr;
  --after;
  return static_cast<const char*>(address) < after->first + after->second.bytes ? &after->second : nullptr;
}

bool is_pageable(const void* address) { return find(address) == nullptr; }

void run_one(cudaStream_t stream) {
  Work work = std::move(stream->queue.front());
  stream->queue.pop_front();
  work();
  stream->done++;
}

void run_until(cudaStream_t stream, uint64_t end) {
  while (stream->done < end && !stream->queue.empty()) run_one(stream);
}

cudaError_t allocate(void** memory, size_t bytes, bool pinned) {
  State& s = state();
  if (!pinned && s.machine.used + bytes > s.machine.memory) return report(cudaErrorMemoryAllocation);
  *memory = std::malloc(bytes);
  if (!*memory) return report(cudaErrorMemoryAllocation);
  std::memset(*memory, 0xFF, bytes);  // NaN to whoever reads what nobody wrote
  s.allocations[static_cast<const char*>(*memory)] = {bytes, pinned};
  if (!pinned) s.machine.used += bytes;
  s.machine.allocations++;
  return cudaSuccess;
}

void release(void* memory) {
  State& s = state();
  const auto at = s.allocations.find(static_cast<const char*>(memory));
  if (at == s.allocations.end()) {
    std::fprintf(stderr, "simt: memory is freed that was not allocated, or was freed before\n");
    std::abort();
  }
  if (!at->second.pinned) s.machine.used -= at->second.bytes;
  s.machine.allocations--;
  s.allocations.erase(at);
  std::free(memory);
}

}  // namespace

namespace simt {

Machine& machine() { return state().machine; }

void Machine::fail(const std::string& function, cudaError_t code, int after) {
  state().failures.push_back({function, code, after});
}

void Machine::reset() {
  state().failures.clear();
  state().lost = cudaSuccess;
  last_error = cudaSuccess;
  const uint64_t still_used = used;
  const int64_t still_alive = allocations;
  *this = Machine();
  used = still_used;
  allocations = still_alive;
}

void submit(cudaStream_t stream, Work work) {
  const Lock lock(mutex());
  if (state().lost != cudaSuccess) {
    report(state().lost);
  } else if (!stream) {
    work();
  } else if (stream->capturing) {
    stream->captured.push_back(std::move(work));
  } else {
    stream->queue.push_back(std::move(work));
    stream->submitted++;
  }
}

}  // namespace simt

// ---- errors and versions ----

const char* cudaGetErrorName(cudaError_t code) {
  switch (code) {
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorIllegalAddress: return "cudaErrorIllegalAddress";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    default: return "cudaError";
  }
}

const char* cudaGetErrorString(cudaError_t code) {
  return code == cudaErrorIllegalAddress ? "an illegal memory access was encountered" : "an error of the fake runtime";
}

cudaError_t cudaGetLastError() {
  const Lock lock(mutex());
  const cudaError_t code = state().lost != cudaSuccess ? state().lost : last_error;
  last_error = cudaSuccess;
  return code;
}

cudaError_t cudaDriverGetVersion(int* version) {
  const Lock lock(mutex());
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  const Lock lock(mutex());
  *version = CUDART_VERSION;
  return cudaSuccess;
}

// ---- devices ----

cudaError_t cudaGetDeviceCount(int* count) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaGetDeviceCount")) return code;
  *count = state().machine.devices;
  return *count > 0 ? cudaSuccess : report(cudaErrorNoDevice);
}

cudaError_t cudaGetDevice(int* device) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaGetDevice")) return code;
  *device = current_device;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaSetDevice")) return code;
  if (device < 0 || device >= state().machine.devices) return report(cudaErrorInvalidDevice);
  current_device = device;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  const Lock lock(mutex());
  *value = attribute == cudaDevAttrMemoryPoolsSupported     ? state().machine.pools
           : attribute == cudaDevAttrComputeCapabilityMajor ? 9
                                                            : 4;
  return begin("cudaDeviceGetAttribute");
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  const Lock lock(mutex());
  *properties = {"the CPU in a GPU's place", {{'s', 'i', 'm', 't'}}, static_cast<size_t>(state().machine.memory), 9, 0, 4};
  return begin("cudaGetDeviceProperties");
}

cudaError_t cudaDeviceCanAccessPeer(int* can, int device, int peer) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaDeviceCanAccessPeer")) return code;
  const int count = state().machine.devices;
  if (device < 0 || device >= count || peer < 0 || peer >= count) return report(cudaErrorInvalidDevice);
  *can = device != peer && state().machine.peers;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetP2PAttribute(int* value, cudaDeviceP2PAttr attribute, int device, int peer) {
  const Lock lock(mutex());
  if (device == peer) return report(cudaErrorInvalidDevice);
  *value = attribute == cudaDevP2PAttrNativeAtomicSupported ? state().machine.peer_atomics : 1;
  return begin("cudaDeviceGetP2PAttribute");
}

cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
  const Lock lock(mutex());
  *total = state().machine.memory;
  *available = state().machine.memory - state().machine.used;
  return begin("cudaMemGetInfo");
}

// ---- memory ----

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaMalloc")) return code;
  return allocate(memory, bytes, false);
}

// Waits for all work, as CUDA's does.
cudaError_t cudaFree(void* memory) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaFree")) return code;
  if (!memory) return cudaSuccess;
  for (cudaStream_t stream : state().streams) run_until(stream, stream->submitted);
  release(memory);
  return cudaSuccess;
}

cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps*) {
  const Lock lock(mutex());
  *pool = &state().pool;
  return begin("cudaMemPoolCreate");
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) {
  const Lock lock(mutex());
  return begin("cudaMemPoolSetAttribute");
}
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t) {
  const Lock lock(mutex());
  return begin("cudaMemPoolTrimTo");
}

cudaError_t cudaMallocFromPoolAsync(void** memory, size_t bytes, cudaMemPool_t, cudaStream_t) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaMallocFromPoolAsync")) return code;
  return allocate(memory, bytes, false);
}

cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaFreeAsync")) return code;
  simt::submit(stream, [memory] { release(memory); });
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaHostAlloc")) return code;
  return allocate(memory, bytes, true);
}

cudaError_t cudaFreeHost(void* memory) {
  const Lock lock(mutex());
  return cudaFree(memory);
}

// Copies of pageable memory are not left for later: what is read is read now, what is written is written now.
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaMemcpyAsync")) return code;
  if (kind == cudaMemcpyHostToDevice && is_pageable(from)) {
    auto staged = std::make_shared<std::vector<char>>(static_cast<const char*>(from), static_cast<const char*>(from) + bytes);
    simt::submit(stream, [to, staged] { std::memcpy(to, staged->data(), staged->size()); });
    return cudaSuccess;
  }
  simt::submit(stream, [to, from, bytes] { std::memcpy(to, from, bytes); });
  if (kind == cudaMemcpyDeviceToHost && is_pageable(to) && stream && !state().machine.hangs) {
    run_until(stream, stream->submitted);
  }
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* memory, int byte, size_t bytes, cudaStream_t stream) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaMemsetAsync")) return code;
  simt::submit(stream, [memory, byte, bytes] { std::memset(memory, byte, bytes); });
  return cudaSuccess;
}

// ---- streams, events, graphs ----

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaStreamCreateWithFlags")) return code;
  *stream = new CUstream_st();
  state().streams.insert(*stream);
  return cudaSuccess;
}

// Work in flight is still done, as CUDA does it.
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Lock lock(mutex());
  run_until(stream, stream->submitted);
  state().streams.erase(stream);
  delete stream;
  return begin("cudaStreamDestroy");
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaStreamBeginCapture")) return code;
  if (!state().machine.graphs) return report(cudaErrorStreamCaptureUnsupported);
  stream->capturing = true;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const Lock lock(mutex());
  stream->capturing = false;
  *graph = new CUgraph_st{std::move(stream->captured)};
  stream->captured.clear();
  return begin("cudaStreamEndCapture");
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaEventCreateWithFlags")) return code;
  *event = new CUevent_st();
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const Lock lock(mutex());
  delete event;
  return begin("cudaEventDestroy");
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaEventRecord")) return code;
  event->stream = stream;
  event->after = stream ? stream->submitted : 0;
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaEventQuery")) return code;
  cudaStream_t stream = event->stream;
  if (!stream || stream->done >= event->after) return cudaSuccess;
  if (!state().machine.hangs) run_until(stream, std::min(event->after, stream->done + kWorkAQuestion));
  return cudaErrorNotReady;
}

// Time is of no use here: each piece of work counts as a microsecond.
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  const Lock lock(mutex());
  *milliseconds = static_cast<float>(end->after - start->after) * 1e-3f;
  return begin("cudaEventElapsedTime");
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaGraphInstantiate")) return code;
  *executable = new CUgraphExec_st{graph->work};
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  const Lock lock(mutex());
  if (const cudaError_t code = begin("cudaGraphLaunch")) return code;
  for (const Work& work : executable->work) simt::submit(stream, work);
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  const Lock lock(mutex());
  delete graph;
  return begin("cudaGraphDestroy");
}

// What was launched holds its own copies of the work.
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  const Lock lock(mutex());
  delete executable;
  return begin("cudaGraphExecDestroy");
}
