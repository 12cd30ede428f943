#include "collective/mpi_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <mutex>
#include <vector>

#include "collective/failure.h"

namespace rs::collective {
namespace {

constexpr char kVariable[] = "RINGSTEP_MPI_LIBRARY";

std::vector<std::string> candidates() {
  if (const char* named = std::getenv(kVariable)) return {named};
  const std::vector<std::string> open_mpi = {"libmpi.so.40"}, mpich = {"libmpich.so.12", "libmpi.so.12"};
  // Both may be installed: the one whose launcher started us goes first.
  const bool by_mpich = std::getenv("PMI_RANK") && !std::getenv("OMPI_COMM_WORLD_RANK");
  std::vector<std::string> names = by_mpich ? mpich : open_mpi;
  const std::vector<std::string>& others = by_mpich ? open_mpi : mpich;
  names.insert(names.end(), others.begin(), others.end());
  names.push_back("libmpi.so");
  return names;
}

template <typename Function>
void find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  if (!*function) throw Failure(Failure::kBackend, Failure::kNoRank, std::string("the MPI library has no ") + name);
}

MpiLibrary::Handle address(void* library, const char* name) {
  void* symbol = nullptr;
  find(library, name, &symbol);
  return reinterpret_cast<MpiLibrary::Handle>(symbol);
}

// Open MPI's handles are addresses of objects in the library.
void use_open_mpi(void* library, MpiLibrary& mpi) {
  mpi.world = address(library, "ompi_mpi_comm_world");
  mpi.float32 = address(library, "ompi_mpi_float");
  mpi.float64 = address(library, "ompi_mpi_double");
  mpi.int64 = address(library, "ompi_mpi_int64_t");
  mpi.sum = address(library, "ompi_mpi_op_sum");
  mpi.errors_return = address(library, "ompi_mpi_errors_return");
  mpi.status_ignore = nullptr;
  mpi.in_place = reinterpret_cast<void*>(1);
  // The JVM handles these signals itself.
  setenv("OMPI_MCA_opal_signal", "6", 0);
}

// MPICH's are numbers, the same in all libraries of its ABI: MPICH 3 and 4, Intel MPI, MVAPICH, Cray MPICH.
void use_mpich(MpiLibrary& mpi) {
  mpi.world = 0x44000000;
  mpi.float32 = 0x4c00040a;
  mpi.float64 = 0x4c00080b;
  mpi.int64 = 0x4c000807;  // MPI_LONG, which has 64 bits
  mpi.sum = 0x58000003;
  mpi.errors_return = 0x54000001;
  mpi.status_ignore = reinterpret_cast<void*>(1);
  mpi.in_place = reinterpret_cast<void*>(-1);
}

void find_functions(void* library, MpiLibrary& mpi) {
  find(library, "MPI_Initialized", &mpi.initialized);
  find(library, "MPI_Finalized", &mpi.finalized);
  find(library, "MPI_Init_thread", &mpi.init_thread);
  find(library, "MPI_Finalize", &mpi.finalize);
  find(library, "MPI_Comm_rank", &mpi.comm_rank);
  find(library, "MPI_Comm_size", &mpi.comm_size);
  find(library, "MPI_Comm_dup", &mpi.comm_dup);
  find(library, "MPI_Comm_free", &mpi.comm_free);
  find(library, "MPI_Comm_set_errhandler", &mpi.comm_set_errhandler);
  find(library, "MPI_Isend", &mpi.isend);
  find(library, "MPI_Irecv", &mpi.irecv);
  find(library, "MPI_Iallreduce", &mpi.iallreduce);
  find(library, "MPI_Test", &mpi.test);
  find(library, "MPI_Cancel", &mpi.cancel);
  find(library, "MPI_Error_string", &mpi.error_string);
}

std::string version_of(void* library) {
  int (*get_version)(char*, int*) = nullptr;
  find(library, "MPI_Get_library_version", &get_version);
  std::vector<char> text(8192 + 1);
  int length = 0;
  get_version(text.data(), &length);
  const std::string all(text.data());
  // Open MPI: "Open MPI v4.1.4, package: ..."; MPICH: "MPICH Version:\t4.0.2\n..."
  std::string line = all.substr(0, all.find_first_of(",\n"));
  for (char& c : line) c = c == '\t' ? ' ' : c;
  return line;
}

void* open_library() {
  std::string tried;
  for (const std::string& name : candidates()) {
    // Global: Open MPI loads its own parts, which look for its symbols.
    if (void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL)) return library;
    tried += (tried.empty() ? "" : "; ") + std::string(dlerror());
  }
  throw Failure(Failure::kBackend, Failure::kNoRank,
                "no MPI library (" + tried + "); install Open MPI or MPICH (on Debian and Ubuntu: apt-get install " +
                    "libopenmpi3 openmpi-bin), or name one with " + kVariable);
}

MpiLibrary load() {
  void* library = open_library();
  MpiLibrary mpi = {};
  find_functions(library, mpi);
  if (dlsym(library, "ompi_mpi_comm_world")) {
    use_open_mpi(library, mpi);
  } else {
    use_mpich(mpi);
  }
  mpi.version = version_of(library);
  return mpi;
}

}  // namespace

std::string MpiLibrary::text_of(int code) const {
  char text[1024] = "";
  int length = 0;
  error_string(code, text, &length);
  return text;
}

const MpiLibrary& mpi_library() {
  static const MpiLibrary library = load();
  return library;
}

}  // namespace rs::collective
