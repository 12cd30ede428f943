// The parameters of a network: flat as everyone knows them, or packed for the small-network path.
// Only one form is brought up to date at a time, so that neither pays for the other.
#pragma once

#include "aligned_buffer.h"
#include "cpu/kernels.h"
#include "prefetch.h"

namespace rs {

class Parameters {
 public:
  // `small` is null where there is no packed form.
  Parameters(const cpu::NetworkView& network, const cpu::SmallNetwork* small)
      : network_(network),
        small_(small),
        flat_(cpu::gradient_length(network.parameter_count)) {}

  const float* flat() const {
    if (newest_ == kPacked) {
      small_->unpack(network_, packed_.get(), flat_.get());
      newest_ = kBoth;
    }
    return flat_.get();
  }

  // Whichever form is the newest, on its way into the cache.
  void prefetch() const {
    const bool is_packed = newest_ == kPacked;
    const int64_t length = is_packed ? small_->packed_length : network_.parameter_count;
    rs::prefetch((is_packed ? packed_ : flat_).get(), length * static_cast<int64_t>(sizeof(float)));
  }

  // To be changed by the caller.
  float* change_flat() {
    flat();
    newest_ = kFlat;
    return flat_.get();
  }

  const float* packed() const {
    if (newest_ == kFlat) {
      packed_.reserve(small_->packed_length);
      small_->pack(network_, flat_.get(), packed_.get());
      newest_ = kBoth;
    }
    return packed_.get();
  }

  // To be changed by the caller.
  float* change_packed() {
    packed();
    newest_ = kPacked;
    return packed_.get();
  }

 private:
  enum Newest { kFlat, kPacked, kBoth };

  cpu::NetworkView network_;
  const cpu::SmallNetwork* small_;
  mutable AlignedBuffer flat_;
  mutable AlignedBuffer packed_;
  mutable Newest newest_ = kFlat;
};

}  // namespace rs
