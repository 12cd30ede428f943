// A dataset's rows in a device's memory: copied when the device first needs them, kept until the dataset goes.
#pragma once

#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/staging.h"
#include "cuda/stream.h"
#include "dataset.h"

namespace rs::cuda {

class DatasetRows final : public DatasetCopy {
 public:
  // The copy on `device`, made now if there is none. Work on any stream may use it afterwards.
  static const DatasetRows& of(const rs_dataset& data, Device& device);

  const float* x() const { return x_.get(); }
  const float* y() const { return y_.get(); }

 private:
  DatasetRows(const rs_dataset& data, Device& device);

  Stream stream_;
  DeviceArray<float> x_;  // [rows, inputs]
  DeviceArray<float> y_;  // [rows, outputs]
};

}  // namespace rs::cuda
