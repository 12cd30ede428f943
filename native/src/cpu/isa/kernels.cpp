// The table of one instruction set. This folder is compiled once for each, with RS_ISA its name and namespace.
#include "cpu/kernels.h"

#include "cpu/isa/add_blocks.h"
#include "cpu/isa/find_rows.h"
#include "cpu/isa/paths.h"
#include "cpu/isa/shape_gradient.h"
#include "cpu/isa/update.h"

#define RS_TEXT2(name) #name
#define RS_TEXT(name) RS_TEXT2(name)

namespace rs::cpu::RS_ISA {

static int64_t workspace_length(const NetworkView& n) {
  const int64_t batch = batch_workspace_length(n), row = row_workspace_length(n);
  return batch > row ? batch : row;
}

static const SmallNetwork* small_network(const NetworkView& n) {
  return with_activation(n, [&](auto a) { return small_network_for<decltype(a)::value>(n); });
}

using Batches = ByActivation<BatchPath>;
using SingleRows = ByActivation<RowPath>;

extern const Kernels kKernels;
const Kernels kKernels = {
    RS_TEXT(RS_ISA),       &workspace_length,  &Batches::gradient,   &Batches::loss,        &Batches::predict,
    &SingleRows::gradient, &SingleRows::loss,  &SingleRows::predict, &find_rows,            &lane_workspace_length,
    &lane_steps,           &small_network,     &add_blocks,          &shape_gradient,       &update,
};

}  // namespace rs::cpu::RS_ISA
