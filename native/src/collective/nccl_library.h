// NCCL's functions, found at run time: the engine builds, loads and trains without it.
#pragma once

#include <array>
#include <cstddef>
#include <string>

namespace rs::collective {

// As nccl.h has them. The library may be older or newer: only what has stayed the same since 2.18 is used.
struct NcclId {
  char bytes[128];
};
using NcclComm = void*;   // ncclComm_t
using NcclStream = void*; // cudaStream_t
using NcclResult = int;   // ncclResult_t
using NcclWindow = void*; // ncclWindow_t

constexpr NcclResult kNcclSuccess = 0, kNcclInProgress = 7;

// The beginning of ncclConfig_t, which says itself how long it is.
struct NcclConfig {
  size_t size;
  unsigned magic, version;
  int blocking, cga_cluster_size, min_ctas, max_ctas;
  const char* net_name;
  int split_share;
};

struct NcclLibrary {
  NcclResult (*get_version)(int* version);
  NcclResult (*get_unique_id)(NcclId* id);
  NcclResult (*comm_init_rank_config)(NcclComm* comm, int size, NcclId id, int rank, NcclConfig* config);
  NcclResult (*comm_get_async_error)(NcclComm comm, NcclResult* error);
  NcclResult (*comm_finalize)(NcclComm comm);
  NcclResult (*comm_destroy)(NcclComm comm);
  NcclResult (*comm_abort)(NcclComm comm);
  NcclResult (*all_reduce)(const void* in, void* out, size_t count, int type, int op, NcclComm comm, NcclStream stream);
  // From 2.27 on; null before. All ranks register together, each deregisters for itself.
  NcclResult (*mem_alloc)(void** memory, size_t bytes);
  NcclResult (*mem_free)(void* memory);
  NcclResult (*comm_window_register)(NcclComm comm, void* memory, size_t bytes, NcclWindow* window, int flags);
  NcclResult (*comm_window_deregister)(NcclComm comm, NcclWindow window);
  const char* (*get_error_string)(NcclResult result);
  const char* (*get_last_error)(NcclComm comm);

  bool has_windows() const { return mem_alloc && mem_free && comm_window_register && comm_window_deregister; }

  // For example "unhandled cuda error: ...".
  std::string text_of(NcclResult result, NcclComm comm) const;
};

// Loads the library from a file, or where it is null from what RINGSTEP_NCCL_LIBRARY names or else from where the
// system's loader finds libnccl.so.2. Once a process: later calls do nothing. Throws Failure with the remedy.
void load_nccl(const char* file);

// What load_nccl loaded, which this calls where nobody has.
const NcclLibrary& nccl_library();

// As 23007 for 2.30.7.
int nccl_version();

// Whether it can register memory that it sums in.
inline bool nccl_has_windows() { return nccl_library().has_windows(); }

// What rank 0 makes and all ranks need. Throws Failure.
NcclId make_nccl_id();

}  // namespace rs::collective
