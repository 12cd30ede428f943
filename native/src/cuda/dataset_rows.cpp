#include "cuda/dataset_rows.h"

namespace rs::cuda {

const DatasetRows& DatasetRows::of(const rs_dataset& data, Device& device) {
  // Held during the copy: whoever else wants it on this device would have to wait for it anyway.
  const std::lock_guard<std::mutex> lock(data.copies_lock);
  std::unique_ptr<DatasetCopy>& copy = data.copies[device.ordinal()];
  if (!copy) copy.reset(new DatasetRows(data, device));
  return static_cast<const DatasetRows&>(*copy);
}

DatasetRows::DatasetRows(const rs_dataset& data, Device& device)
    : stream_(device.ordinal()),
      x_(device, data.rows * data.inputs, "the inputs of a dataset", stream_),
      y_(device, data.rows * data.outputs, "the targets of a dataset", stream_) {
  Staging staging(device.ordinal());
  staging.copy(x_.get(), data.x.get(), data.rows * data.inputs, stream_);
  staging.copy(y_.get(), data.y.get(), data.rows * data.outputs, stream_);
  stream_.wait("copying a dataset to the device");
}

}  // namespace rs::cuda
