// An engine that lives in a library of its own and is handed to this one by rs_register_backend.
//
// C++ objects cross between the two: both are built from the same sources, by the same compiler, and carry the
// same version, which is checked before anything else of a backend is used.
#pragma once

#include <cstdint>

#include "collective/communicator.h"
#include "collective/nccl_library.h"
#include "ensemble.h"
#include "trainer.h"

namespace rs {

struct Backend {
  int32_t abi_version;  // RS_ABI_VERSION
  const char* version;  // rs_version()
  rs_engine engine;

  // Arguments were checked. Throws std::bad_alloc, DeviceError.
  rs_trainer* (*create)(Network network, const rs_trainer_options& options);
  rs_ensemble* (*create_ensemble)(Network network, const rs_ensemble_options& options);

  // NCCL's, with this rank on a device of the engine's. Throws Failure too.
  collective::Communicator* (*create_nccl)(const collective::NcclId& id, int32_t device, int rank, int size,
                                           collective::Deadline deadline);
};

}  // namespace rs
