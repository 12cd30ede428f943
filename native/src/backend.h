// An engine that lives in a library of its own and is handed to this one by rs_register_backend.
//
// C++ objects cross between the two: both are built from the same sources, by the same compiler, and carry the
// same version, which is checked before anything else of a backend is used.
#pragma once

#include <cstdint>

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
};

}  // namespace rs
