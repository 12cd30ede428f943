// What the files of one instruction set give to its table, kernels.cpp; cpu/kernels.h says what each does.
#pragma once

#include "cpu/kernels.h"

namespace rs::cpu::RS_ISA {

// What a path does with rows, of a network of any activation: defined in by_activation.h, for BatchPath in batch_path.cpp, for
// RowPath in row_path.cpp.
template <template <rs_activation> class Path>
struct ByActivation {
  static void gradient(const Pass&, const Rows&, int64_t count, float* workspace, float* gradient);
  static double loss(const Pass&, const Rows&, int64_t count, float* workspace);
  static void predict(const Pass&, const Rows&, int64_t count, float* workspace, float* y);
};

template <rs_activation A>
struct BatchPath;
template <rs_activation A>
struct RowPath;

int64_t batch_workspace_length(const NetworkView&);
int64_t row_workspace_length(const NetworkView&);

void lane_steps(ModelLanes&, const LaneTile&, float* workspace);
int64_t lane_workspace_length(const NetworkView&);

// Compiled for each activation by itself, as it takes long.
template <rs_activation A>
const SmallNetwork* small_network_for(const NetworkView&);

// Calls f(Kind<a>()) for the network's activation.
template <rs_activation A>
struct Kind {
  static constexpr rs_activation value = A;
};

template <typename F>
auto with_activation(const NetworkView& n, F f) {
  switch (n.activation) {
    case RS_RELU: return f(Kind<RS_RELU>());
    case RS_TANH: return f(Kind<RS_TANH>());
    case RS_SIGMOID: return f(Kind<RS_SIGMOID>());
    default: return f(Kind<RS_IDENTITY>());
  }
}

}  // namespace rs::cpu::RS_ISA
