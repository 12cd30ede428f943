// The table of one instruction set. Compiled once for each, with RS_ISA its name and namespace.
#include "cpu/kernels.h"

#include "cpu/isa/add_blocks.h"
#include "cpu/isa/batch_path.h"
#include "cpu/isa/ensemble_path.h"
#include "cpu/isa/row_path.h"
#include "cpu/isa/shape_gradient.h"
#include "cpu/isa/small_network.h"
#include "cpu/isa/update.h"

#define RS_TEXT2(name) #name
#define RS_TEXT(name) RS_TEXT2(name)

namespace rs::cpu::RS_ISA {

// Calls f(Kind<a>()) for the network's activation.
template <rs_activation A>
struct Kind {
  static constexpr rs_activation value = A;
};

template <typename F>
static auto with_activation(const NetworkView& n, F f) {
  switch (n.activation) {
    case RS_RELU: return f(Kind<RS_RELU>());
    case RS_TANH: return f(Kind<RS_TANH>());
    case RS_SIGMOID: return f(Kind<RS_SIGMOID>());
    default: return f(Kind<RS_IDENTITY>());
  }
}

static int64_t workspace_length(const NetworkView& n) {
  const int64_t batch = BatchWorkspace(n, nullptr).length, row = RowWorkspace(n, nullptr).length;
  return batch > row ? batch : row;
}

static void block_gradient(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* gradient) {
  with_activation(pass.network, [&](auto a) {
    BatchPath<decltype(a)::value>::gradient(pass, rows, count, workspace, gradient);
  });
}

static double block_loss(const Pass& pass, const Rows& rows, int64_t count, float* workspace) {
  return with_activation(pass.network, [&](auto a) {
    return BatchPath<decltype(a)::value>::loss(pass, rows, count, workspace);
  });
}

static void block_predict(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* y) {
  with_activation(pass.network, [&](auto a) {
    BatchPath<decltype(a)::value>::predict(pass, rows, count, workspace, y);
  });
}

static void row_gradient(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* gradient) {
  with_activation(pass.network, [&](auto a) {
    RowPath<decltype(a)::value>::gradient(pass, rows, count, workspace, gradient);
  });
}

static double row_loss(const Pass& pass, const Rows& rows, int64_t count, float* workspace) {
  return with_activation(pass.network, [&](auto a) {
    return RowPath<decltype(a)::value>::loss(pass, rows, count, workspace);
  });
}

static void row_predict(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* y) {
  with_activation(pass.network, [&](auto a) {
    RowPath<decltype(a)::value>::predict(pass, rows, count, workspace, y);
  });
}

static int64_t lane_workspace_length(const NetworkView& n) { return EnsembleWorkspace(n, nullptr).length; }

static void lane_steps(ModelLanes& lanes, const LaneTile& tile, float* workspace) {
  with_activation(lanes.network, [&](auto a) { EnsemblePath<decltype(a)::value>::steps(lanes, tile, workspace); });
}

static const SmallNetwork* small_network(const NetworkView& n) {
  return with_activation(n, [&](auto a) { return small_network_for<decltype(a)::value>(n); });
}

extern const Kernels kKernels;
const Kernels kKernels = {
    RS_TEXT(RS_ISA), &workspace_length, &block_gradient,        &block_loss, &block_predict, &row_gradient, &row_loss,
    &row_predict,    &find_rows,        &lane_workspace_length, &lane_steps, &small_network, &add_blocks,
    &shape_gradient, &update,
};

}  // namespace rs::cpu::RS_ISA
