// The ranks of MPI's world.
#pragma once

#include <memory>
#include <string>

#include "collective/communicator.h"

namespace rs::collective {

// Loads MPI, initializes it unless that is done, and takes a communicator of its own from the world's. All ranks of
// the world must call it.
std::unique_ptr<Communicator> make_mpi(Deadline deadline);

// The version of the MPI that make_mpi would use. Throws Failure where there is none.
std::string mpi_version();

}  // namespace rs::collective
