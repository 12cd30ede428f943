// What the files of one instruction set give to its table, kernels.cpp; cpu/kernels.h says what each does.
#pragma once

#include "cpu/kernels.h"

namespace rs::cpu::RS_ISA {

void block_gradient(const Pass&, const Rows&, int64_t count, float* workspace, float* gradient);
double block_loss(const Pass&, const Rows&, int64_t count, float* workspace);
void block_predict(const Pass&, const Rows&, int64_t count, float* workspace, float* y);
int64_t batch_workspace_length(const NetworkView&);

void row_gradient(const Pass&, const Rows&, int64_t count, float* workspace, float* gradient);
double row_loss(const Pass&, const Rows&, int64_t count, float* workspace);
void row_predict(const Pass&, const Rows&, int64_t count, float* workspace, float* y);
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
