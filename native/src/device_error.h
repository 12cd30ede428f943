// Something a device could not do. The message says the operation, the device, the code's name and the remedy.
#pragma once

#include <stdexcept>
#include <string>

#include "ringstep.h"

namespace rs {

struct DeviceError : std::runtime_error {
  DeviceError(rs_status status, const std::string& message) : std::runtime_error(message), status(status) {}

  rs_status status;  // RS_CUDA, RS_CUDA_OUT_OF_MEMORY or RS_CUDA_FATAL
};

}  // namespace rs
