#include "collective/nccl_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <mutex>

#include "collective/failure.h"

namespace rs::collective {
namespace {

constexpr char kVariable[] = "RINGSTEP_NCCL_LIBRARY";

// Non-blocking communicators as they are now; memory that is registered in windows.
constexpr int kOldest = 21800, kFirstWithWindows = 22700;

std::mutex mutex;
bool loaded = false;
NcclLibrary library;

[[noreturn]] void fail(const std::string& message) { throw Failure(Failure::kBackend, Failure::kNoRank, message); }

template <typename Function>
void find(void* handle, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(handle, name));
  if (!*function) fail(std::string("NCCL's library has no ") + name + "; install NCCL 2.18 or later");
}

// What older libraries lack.
template <typename Function>
void find_if_there(void* handle, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(handle, name));
}

void find_windows(void* handle, NcclLibrary& nccl) {
  find_if_there(handle, "ncclMemAlloc", &nccl.mem_alloc);
  find_if_there(handle, "ncclMemFree", &nccl.mem_free);
  find_if_there(handle, "ncclCommWindowRegister", &nccl.comm_window_register);
  find_if_there(handle, "ncclCommWindowDeregister", &nccl.comm_window_deregister);
}

NcclLibrary functions_of(void* handle) {
  NcclLibrary nccl = {};
  find(handle, "ncclGetVersion", &nccl.get_version);
  find(handle, "ncclGetUniqueId", &nccl.get_unique_id);
  find(handle, "ncclCommInitRankConfig", &nccl.comm_init_rank_config);
  find(handle, "ncclCommGetAsyncError", &nccl.comm_get_async_error);
  find(handle, "ncclCommFinalize", &nccl.comm_finalize);
  find(handle, "ncclCommDestroy", &nccl.comm_destroy);
  find(handle, "ncclCommAbort", &nccl.comm_abort);
  find(handle, "ncclAllReduce", &nccl.all_reduce);
  find(handle, "ncclGetErrorString", &nccl.get_error_string);
  find(handle, "ncclGetLastError", &nccl.get_last_error);
  int version = 0;
  nccl.get_version(&version);
  if (version < kOldest) fail("NCCL " + std::to_string(version) + " is too old; install NCCL 2.18 or later");
  if (version >= kFirstWithWindows) find_windows(handle, nccl);
  return nccl;
}

}  // namespace

std::string NcclLibrary::text_of(NcclResult result, NcclComm comm) const {
  const char* more = get_last_error(comm);
  const std::string text = get_error_string(result);
  return more && *more ? text + ": " + more : text;
}

void load_nccl(const char* file) {
  std::lock_guard<std::mutex> lock(mutex);
  if (loaded) return;
  const char* named = std::getenv(kVariable);
  const std::string name = file ? file : named && *named ? named : "libnccl.so.2";
  void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    fail("NCCL cannot be loaded: " + std::string(dlerror()) +
         "; install libnccl2 from NVIDIA's repository, or nvidia-nccl-cu13 with pip, and name its libnccl.so.2 with " +
         kVariable);
  }
  library = functions_of(handle);
  loaded = true;
}

const NcclLibrary& nccl_library() {
  load_nccl(nullptr);
  return library;
}

int nccl_version() {
  int version = 0;
  nccl_library().get_version(&version);
  return version;
}

NcclId make_nccl_id() {
  const NcclLibrary& nccl = nccl_library();
  NcclId id = {};
  const NcclResult result = nccl.get_unique_id(&id);
  if (result != kNcclSuccess) fail("ncclGetUniqueId: " + nccl.text_of(result, nullptr));
  return id;
}

}  // namespace rs::collective
