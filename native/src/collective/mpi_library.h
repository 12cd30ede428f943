// The system's MPI, found at run time: Open MPI or MPICH, whose binary interfaces differ in what a handle is (a
// pointer here, an int there). All handles are kept as integers wide enough for both.
#pragma once

#include <cstdint>
#include <string>

namespace rs::collective {

struct MpiLibrary {
  using Handle = uintptr_t;

  std::string version;  // one line, such as "Open MPI v4.1.4"

  Handle world, float32, float64, int64, sum, errors_return;
  void* status_ignore;
  void* in_place;

  int (*initialized)(int* flag);
  int (*finalized)(int* flag);
  int (*init_thread)(int* argc, char*** argv, int required, int* provided);
  int (*finalize)();
  int (*comm_rank)(Handle comm, int* rank);
  int (*comm_size)(Handle comm, int* size);
  int (*comm_dup)(Handle comm, Handle* copy);
  int (*comm_free)(Handle* comm);
  int (*comm_set_errhandler)(Handle comm, Handle handler);
  int (*isend)(const void* bytes, int count, Handle type, int to, int tag, Handle comm, Handle* request);
  int (*irecv)(void* bytes, int count, Handle type, int from, int tag, Handle comm, Handle* request);
  int (*iallreduce)(const void* in, void* out, int count, Handle type, Handle op, Handle comm, Handle* request);
  int (*test)(Handle* request, int* done, void* status);
  int (*cancel)(Handle* request);
  int (*error_string)(int code, char* text, int* length);

  std::string text_of(int code) const;
};

// Loaded once a process. Throws Failure, with the names that were tried, where there is none.
const MpiLibrary& mpi_library();

}  // namespace rs::collective
