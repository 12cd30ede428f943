// fused_gradient against float64, and that its bits depend on the rows of a block alone.
#include "fused_case.h"
#include "simt.h"

using rs::gpu::Blocks;
using rs::gpu::FusedGradient;
using rs::gpu::FusedNetwork;
using rs::gpu::Rows;
using test::Array;
using test::FusedCase;

namespace {

constexpr float kLossWeight = 2.5f;

// What z may be off by.
double margin(bool tf32) { return tf32 ? 1e-2 : 1e-5; }

Array run(const FusedCase& c, const Rows& rows, const Blocks& blocks, int64_t begin, int64_t end, int ctas,
                bool tf32) {
  const FusedNetwork* fused = rs::gpu::fused_network(c.inputs, c.hidden, 1, c.network.activation);
  CHECK(fused, "%d inputs, %d hidden units", c.inputs, c.hidden);
  Array gradients((end - begin) * c.length());
  const FusedGradient task = {rows,     blocks,      begin,             end,            c.inputs,
                              c.hidden, kLossWeight, c.parameters.get(), gradients.get()};
  (tf32 ? fused->gradient_tf32 : fused->gradient)(task, ctas, nullptr);
  return gradients;
}

void check_against_reference(const FusedCase& c, const Rows& rows, int64_t batch, bool tf32) {
  const Blocks blocks(batch, c.network.parameter_count);
  const Array gradients = run(c, rows, blocks, 0, blocks.count, 3, tf32);
  for (int64_t b = 0; b < blocks.count; ++b) {
    for (int64_t i = c.network.parameter_count + 1; i < c.length(); ++i) {
      CHECK(gradients[b * c.length() + i] == 0, "padding %d of block %d", int(i), int(b));
    }
  }
  const std::vector<float> sum = test::add_blocks(gradients.get(), blocks.count, c.length());
  const test::Errors errors(sum.data(), c.reference(rows, batch, kLossWeight));
  CHECK(errors.gradient <= (tf32 ? 1e-3 : 2e-6) && errors.loss <= (tf32 ? 1e-3 : 1e-6),
        "errors %g and %g of the gradient and the loss, %d inputs, %d hidden, activation %d, batch %d", errors.gradient,
        errors.loss, c.inputs, c.hidden, int(c.network.activation), int(batch));
}

// Any range of blocks, any number of thread blocks and any order of threads give a block the same bits.
void check_bits(const FusedCase& c, const Rows& rows, int64_t batch, bool tf32) {
  const Blocks blocks(batch, c.network.parameter_count);
  const Array all = run(c, rows, blocks, 0, blocks.count, 1, tf32);
  CHECK(all.same_bits(run(c, rows, blocks, 0, blocks.count, 2, tf32)), "two thread blocks");
  CHECK(all.same_bits(run(c, rows, blocks, 0, blocks.count, 100, tf32)), "a hundred thread blocks");
  simt::set_order(simt::Order::kReverse);
  CHECK(all.same_bits(run(c, rows, blocks, 0, blocks.count, 3, tf32)), "threads in the reverse order");
  simt::set_order(simt::Order::kForward);
  for (int64_t cut = 0; cut <= blocks.count; ++cut) {
    const Array low = run(c, rows, blocks, 0, cut, 2, tf32), high = run(c, rows, blocks, cut, blocks.count, 3, tf32);
    const size_t bytes = static_cast<size_t>(cut * c.length()) * sizeof(float);
    CHECK(std::memcmp(all.get(), low.get(), bytes) == 0, "blocks before %d", int(cut));
    const size_t high_bytes = static_cast<size_t>(high.length()) * sizeof(float);
    CHECK(std::memcmp(all.get() + cut * c.length(), high.get(), high_bytes) == 0,
          "blocks from %d on", int(cut));
  }
}

void check_shape(int32_t inputs, int32_t hidden, rs_activation activation, bool tf32) {
  const int64_t kRows = 1201;
  const FusedCase c(inputs, hidden, activation, kRows, static_cast<uint64_t>(inputs * 100 + hidden), margin(tf32));
  for (int64_t batch : {1, 2, 31, 127, 128, 257, 601}) check_against_reference(c, c.in_order(), batch, tf32);
  check_against_reference(c, c.in_order(4), 1021, tf32);  // still at a multiple of 16 bytes
  check_against_reference(c, c.in_order(3), 509, tf32);
  check_against_reference(c, c.shuffled(7, rs::Shuffle(1, 2, kRows)), 701, tf32);
}

void check_all(bool tf32) {
  for (int activation = RS_IDENTITY; activation <= RS_SIGMOID; ++activation) {
    const auto a = static_cast<rs_activation>(activation);
    check_shape(10, 20, a, tf32);
    for (int32_t inputs : {1, 3, 4, 8, 9, 16}) {
      for (int32_t hidden : {1, 7, 8, 19, 31, 32}) {
        const FusedCase c(inputs, hidden, a, 300, static_cast<uint64_t>(activation), margin(tf32));
        check_against_reference(c, c.in_order(), 131, tf32);
        check_against_reference(c, c.shuffled(10, rs::Shuffle(3, 1, 300)), 67, tf32);
      }
    }
  }
  const FusedCase c(10, 20, RS_RELU, 1201, 9);
  check_bits(c, c.in_order(), 1201, tf32);
  check_bits(c, c.in_order(1), 643, tf32);
  check_bits(c, c.shuffled(3, rs::Shuffle(5, 6, 1201)), 900, tf32);
  const FusedCase wide(16, 30, RS_TANH, 700, 10);
  check_bits(wide, wide.in_order(), 700, tf32);

  // One piece of memory, or row by row: the same bits.
  const Blocks blocks(512, c.network.parameter_count);
  Array moved_x(512 * 10 + 10), moved_y(513);
  std::memcpy(moved_x.get() + 10, c.x.get(), 512 * 10 * sizeof(float));
  std::memcpy(moved_y.get() + 1, c.y.get(), 512 * sizeof(float));
  const Rows moved = {moved_x.get(), moved_y.get(), 1, rs::Shuffle(), false};
  CHECK(run(c, c.in_order(), blocks, 0, 4, 2, tf32).same_bits(run(c, moved, blocks, 0, 4, 2, tf32)), "moved rows");
}

// Blocks of many tiles.
void check_long_blocks(bool tf32) {
  const FusedCase c(10, 20, RS_RELU, 5000, 12, margin(tf32));
  Blocks blocks(5000, c.network.parameter_count);
  blocks.rows = 2048;
  blocks.count = 3;
  const Array gradients = run(c, c.in_order(), blocks, 0, 3, 2, tf32);
  const std::vector<float> sum = test::add_blocks(gradients.get(), 3, c.length());
  const test::Errors errors(sum.data(), c.reference(c.in_order(), 5000, kLossWeight));
  CHECK(errors.gradient <= (tf32 ? 1e-3 : 2e-6) && errors.loss <= (tf32 ? 1e-3 : 1e-6), "errors %g and %g",
        errors.gradient, errors.loss);
}

// What is not finite in one row reaches the loss of its block, and no other block.
void check_not_finite(bool tf32) {
  for (int activation = RS_IDENTITY; activation <= RS_SIGMOID; ++activation) {
    const FusedCase c(10, 20, static_cast<rs_activation>(activation), 300, 13);
    const Blocks blocks(300, c.network.parameter_count);
    c.x[200 * 10 + 3] = NAN;
    const Array gradients = run(c, c.in_order(), blocks, 0, blocks.count, 1, tf32);
    for (int64_t b = 0; b < blocks.count; ++b) {
      const bool finite = std::isfinite(gradients[b * c.length() + c.network.parameter_count]);
      CHECK(finite == (b != 1), "block %d, activation %d", int(b), activation);
    }
  }
}

void check_table() {
  CHECK(!rs::gpu::fused_network(17, 20, 1, RS_RELU), "17 inputs");
  CHECK(!rs::gpu::fused_network(10, 33, 1, RS_RELU), "33 hidden units");
  CHECK(!rs::gpu::fused_network(10, 20, 2, RS_RELU), "2 outputs");
  const FusedNetwork* seed = rs::gpu::fused_network(10, 20, 1, RS_TANH);
  CHECK(seed && seed->inputs == 10 && seed->hidden == 20 && seed->activation == RS_TANH, "10, 20, 1");
}

}  // namespace

int main(int argc, char** argv) {
  const bool tf32 = argc > 1 && std::strcmp(argv[1], "tf32") == 0;
  check_table();
  check_all(tf32);
  check_long_blocks(tf32);
  check_not_finite(tf32);
  printf("fused_gradient%s: all as expected\n", tf32 ? "_tf32" : "");
  return 0;
}
