// The gradient vector summed over the blocks of all ranks.
//
// Exact: the sum is that of all blocks' values, rounded once, so it has the same bits whoever computed which block.
// Every value becomes digits of a fixed-point number (exact_sum.h), the digits are summed as integers, which has no
// order, and the result is rounded. Gradients use few of the digits: only those that were in use lately travel, with a
// count of the ranks that used each. Where a rank has used one that did not travel, all ranks see it in the counts,
// and send that one too. So nothing is lost, and no rank needs to know more than the others.
#pragma once

#include <cstdint>
#include <vector>

#include "collective/communicator.h"
#include "exact_sum.h"

namespace rs::collective {

class GradientSum {
 public:
  enum Reduce {
    kExact,
    kFloat  // each rank's sum is rounded, and these are added as floats: fewer bytes, but the bits depend on the ranks
  };

  // What travels with the gradient.
  struct Tally {
    int64_t rows;  // of this rank; then of all ranks
    int64_t stops; // whether this rank wants to stop; then how many do
  };

  GradientSum(Communicator& communicator, Reduce reduce, int64_t length);

  Communicator& communicator() { return communicator_; }

  // sum[i] = the sum over ranks, and over each one's `blocks` vectors, of vectors[block * stride + i], for i in
  // [0, length). `blocks` may be 0.
  void run(const float* vectors, int64_t stride, int64_t blocks, Tally& tally, float* sum);

  // The tally alone.
  void run(Tally& tally);

 private:
  // One more plane than digits: of values that are not finite.
  static constexpr int kPlanes = ExactSum::kDigits + 1;
  using Planes = uint32_t;  // a set of planes, one bit each

  // Parameters are summed so many at a time, each part with planes of its own in use.
  static constexpr int64_t kPart = 8192;

  // Planes that travel in a part's first message, and for how many sums each has not been used.
  struct Window {
    Planes planes = 0;
    uint8_t idle[kPlanes] = {};
  };

  void exact(const float* vectors, int64_t stride, int64_t blocks, Tally& tally, float* sum);
  void exact_part(Window& window, const float* vectors, int64_t stride, int64_t blocks, int64_t count, Tally& tally,
                  float* sum);
  Planes add_values(const float* vectors, int64_t stride, int64_t blocks, int64_t count);
  bool add_double(double value, int64_t i, Planes& used);
  void add_value(float value, int64_t i, Planes& used);
  int64_t* append(Planes planes, int64_t count, int64_t* end);
  void take(Planes planes, int64_t count, const int64_t* from);
  void round(Planes used, int64_t count, float* sum);
  float round_any(Planes used, int64_t i) const;
  static void adapt(Window& window, Planes used);

  int64_t* plane(int p) { return planes_.data() + p * part_; }
  const int64_t* plane(int p) const { return planes_.data() + p * part_; }

  Communicator& communicator_;
  const Reduce reduce_;
  const int64_t length_, part_;
  std::vector<Window> windows_;
  std::vector<int64_t> planes_;   // [kPlanes][part_], all 0 between sums
  std::vector<int64_t> message_;
  std::vector<float> floats_;
};

}  // namespace rs::collective
